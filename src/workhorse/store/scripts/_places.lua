--! keys: lease, executions, limited
-- Whether a job is held, by an execution of ours or of RQ's, also by one whose lease has lapsed: `recover` judges that.
local function is_held(queue, job_id, execution_id)
  local leases, index = lease_key(queue), executions_key(job_id)
  for _, execution in ipairs({execution_id, '', unpack(lenient('ZRANGE', index, 0, -1) or {})}) do
    if lenient('ZSCORE', leases, lease_member(job_id, execution)) then return true end
  end
  return (lenient('ZCOUNT', index, score(now), '+inf') or 0) > 0
end

-- Whether a job is among those that wait for a place of its limit.
local function waits_for_place(name, job_id)
  return name and lenient('ZSCORE', limited_key(name), job_id)
end

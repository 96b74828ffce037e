--! keys: lease, executions
-- Whether a job is held, by an execution of ours or of RQ's, also by one whose lease has lapsed: `recover` judges that.
-- Keys may hold anything; what is not of the expected kind holds no job.
local function ask(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then return nil end
  return reply or nil
end

local function is_held(queue, job_id, execution_id)
  local leases, index = lease_key(queue), executions_key(job_id)
  for _, execution in ipairs({execution_id, '', unpack(ask('ZRANGE', index, 0, -1) or {})}) do
    if ask('ZSCORE', leases, lease_member(job_id, execution)) then return true end
  end
  return (ask('ZCOUNT', index, score(now), '+inf') or 0) > 0
end

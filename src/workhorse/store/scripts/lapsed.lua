--! List executions of a queue whose lease has lapsed. Changes nothing.
--! keys: lease, job
--! args: queue, limit, fields...
--! include: _clock, _set_aside, _extras
--! returns: a row for each: queue, job, execution, its fields, its worker, its entry in the set, its extras where it
--!   has any; or a row of three if the leases are of another kind (queue, '', the reason)
local rows, at = {}, {}
for i, name in ipairs(fields) do at[name] = i end
local members = redis.pcall('ZRANGEBYSCORE', lease_key(queue), '-inf', score(now), 'LIMIT', 0, limit)
if members.err then note_broken(queue, '', members.err) end
for _, member in ipairs(members) do
  local job_id, execution = string.match(member, '^(.+):([^:]+)$')
  if not job_id then job_id, execution = member, '' end  -- RQ before 2.0
  local values = redis.pcall('HMGET', job_key(job_id), unpack(fields))
  if values.err then  -- no hash: `recover` sets it aside
    values = {}
    for i = 1, #fields do values[i] = false end
  end
  local worker = redis.pcall('HGET', job_key(job_id), 'worker_name')
  if type(worker) == 'table' then worker = false end
  rows[#rows + 1] = {queue, job_id, execution, values, worker, member,
    extras_of(job_id, values[at.extras], values[at.result_in])}
end
return with_broken(rows)

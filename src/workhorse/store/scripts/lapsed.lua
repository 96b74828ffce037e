--! List executions of a queue whose lease has lapsed. Changes nothing.
--! keys: lease, job
--! args: queue, limit, fields...
--! include: _clock
--! returns: a row for each: queue, job, execution, its fields, its worker, its entry in the set
local rows = {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', lease_key(queue), '-inf', score(now), 'LIMIT', 0, limit)) do
  local job_id, execution = string.match(member, '^(.+):([^:]+)$')
  if not job_id then job_id, execution = member, '' end  -- RQ before 2.0
  local values = redis.call('HMGET', job_key(job_id), unpack(fields))
  local worker = redis.call('HGET', job_key(job_id), 'worker_name')
  rows[#rows + 1] = {queue, job_id, execution, values, worker, member}
end
return rows

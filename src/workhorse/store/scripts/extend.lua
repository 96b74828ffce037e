--! Keep leases for `lease` more seconds, and show the running executions to RQ's monitors.
--! keys: lease, job, execution, executions, worker_executions
--! events: release
--! args: worker, lease
--! each: job_id, execution_id, queue
--! include: _clock, _end_execution
--! returns: for each 1, or 0 if the execution no longer holds the job: it must end and write nothing
local replies = {}
local stamp, lapses = text(now), score(now + lease)
local kept = math.ceil(lease) + 60

local function extend(item)
  local member = item.job_id .. ':' .. item.execution_id
  if not redis.call('ZSCORE', lease_key(item.queue), member) then
    return 0
  end
  -- Deleted or canceled by RQ, which leaves the lease (rq3.md, R1 and R2).
  local status = redis.call('HGET', job_key(item.job_id), 'status')
  if not status or not after('release', status) then
    end_execution(item.queue, item.job_id, item.execution_id, worker)
    return 0
  end
  redis.call('ZADD', lease_key(item.queue), lapses, member)
  redis.call('HSET', job_key(item.job_id), 'last_heartbeat', stamp)
  local execution = execution_key(item.job_id, item.execution_id)
  redis.call('HSETNX', execution, 'created_at', score(now))
  redis.call('HSET', execution, 'id', item.execution_id, 'job_id', item.job_id, 'last_heartbeat',
    score(now), 'worker_name', worker)
  redis.call('EXPIRE', execution, kept)
  redis.call('ZADD', executions_key(item.job_id), lapses, item.execution_id)
  redis.call('EXPIRE', executions_key(item.job_id), kept)
  redis.call('SADD', worker_executions_key(worker), member)
  redis.call('EXPIRE', worker_executions_key(worker), kept)
  return 1
end

for item in items() do
  replies[#replies + 1] = extend(item)
end
return replies

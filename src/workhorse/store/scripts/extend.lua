--! Keep leases for `lease` more seconds, and show the running executions to RQ's monitors.
--! keys: lease, job, execution, executions, worker_executions
--! events: release
--! args: worker, lease
--! each: job_id, execution_id, queue
--! include: _clock, _end_execution
--! returns: for each '' while it holds the job; 'lost' if it no longer does: it must end and write nothing; or the
--!   seconds that it may take to end, where it was asked to stop
local replies = {}
local stamp, moment, lapses = text(now), score(now), score(now + lease)
local kept = math.ceil(lease) + 60

-- RQ's monitors read it.
local function show(item, member)
  local execution = execution_key(item.job_id, item.execution_id)
  redis.call('HSETNX', execution, 'created_at', moment)
  redis.call('HSET', execution, 'id', item.execution_id, 'job_id', item.job_id, 'last_heartbeat', moment,
    'worker_name', worker)
  redis.call('EXPIRE', execution, kept)
  redis.call('ZADD', executions_key(item.job_id), lapses, item.execution_id)
  redis.call('EXPIRE', executions_key(item.job_id), kept)
  redis.call('SADD', worker_executions_key(worker), member)
  redis.call('EXPIRE', worker_executions_key(worker), kept)
end

local function extend(item)
  -- Taken and put back: out of memory, a script must begin with a removal.
  if not take_lease(item.queue, item.job_id, item.execution_id) then
    return 'lost'
  end
  local job = job_key(item.job_id)
  local known = lenient('HMGET', job, 'status', 'execution_id', 'stop_requested', 'stop_grace') or {}
  -- Deleted, canceled or restarted by RQ, which leaves the lease.
  if not known[1] or not after('release', known[1]) or known[2] ~= item.execution_id then
    forget_execution(item.job_id, item.execution_id, worker)
    return 'lost'
  end
  local member = lease_member(item.job_id, item.execution_id)
  lenient('ZADD', lease_key(item.queue), lapses, member)
  redis.call('HSET', job, 'last_heartbeat', stamp)
  if not pcall(show, item, member) then  -- keys of another kind; the next time makes them anew
    redis.call('DEL', execution_key(item.job_id, item.execution_id), executions_key(item.job_id),
      worker_executions_key(worker))
  end
  return known[3] == item.execution_id and (known[4] or '0') or ''
end

for item in items() do
  replies[#replies + 1] = extend(item)
end
return replies

--! keys: lease, execution, executions, worker_executions
-- Give up an execution's lease; false if it does not hold one (any more). The first write of every
-- script that ends an execution, and a removal: a server that is out of memory refuses scripts
-- that begin with anything else, and could then never be drained.
local function end_execution(queue, job_id, execution_id, worker)
  local member = job_id .. ':' .. execution_id
  if redis.call('ZREM', lease_key(queue), member) == 0 then
    return false
  end
  if redis.call('DEL', execution_key(job_id, execution_id)) == 1 then
    redis.call('ZREM', executions_key(job_id), execution_id)
    redis.call('SREM', worker_executions_key(worker), member)
  end
  return true
end

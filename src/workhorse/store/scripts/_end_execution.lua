--! keys: lease, execution, executions, worker_executions
-- Give up an execution's lease; false if it does not hold one (any more). The first write of every
-- script that ends an execution, and a removal: a server that is out of memory refuses scripts
-- that begin with anything else, and could then never be drained.
--! include: _lenient
local function lease_member(job_id, execution_id)
  -- RQ before 2.0 knew no executions, and wrote the job's id alone.
  return execution_id == '' and job_id or job_id .. ':' .. execution_id
end

local function take_lease(queue, job_id, execution_id)
  -- Where the leases are no sorted set nobody can recover a job, and its hash alone says who holds it.
  return (lenient('ZREM', lease_key(queue), lease_member(job_id, execution_id)) or 1) == 1
end

local function forget_execution(job_id, execution_id, worker)
  if redis.call('DEL', execution_key(job_id, execution_id)) == 1 then
    lenient('ZREM', executions_key(job_id), execution_id)
    lenient('SREM', worker_executions_key(worker), lease_member(job_id, execution_id))
  end
end

local function end_execution(queue, job_id, execution_id, worker)
  if not take_lease(queue, job_id, execution_id) then
    return false
  end
  forget_execution(job_id, execution_id, worker)
  return true
end

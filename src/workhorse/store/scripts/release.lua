--! Give back executions that were not entered: to the front of their queues, in the order given.
--! keys: job, queue
--! events: release
--! args: worker
--! each: job_id, execution_id, queue
--! include: _push, _end_execution
--! returns: for each 1, or 0 if it did not hold its job
local replies, given = {}, {}
for item in items() do
  given[#given + 1] = item
end
for number = #given, 1, -1 do
  local item = given[number]
  local job = job_key(item.job_id)
  local status = redis.call('HGET', job, 'status')
  replies[number] = 0
  if end_execution(item.queue, item.job_id, item.execution_id, worker) and status then
    local to = after('release', status)
    if to then
      redis.call('HSET', job, 'status', to)
      redis.call('HDEL', job, 'started_at', 'worker_name', 'execution_id')
      push(item.queue, item.job_id, true)
      replies[number] = 1
    end
  end
end
return replies

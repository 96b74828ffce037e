--! Give back executions that were not entered: to the front of their queues, in the order given.
--! keys: job, failed
--! events: release
--! args: worker, failure_ttl
--! each: job_id, execution_id, queue
--! include: _clock, _push, _end_execution, _heed_stop, _set_aside, _waiting, _tally, _others, _apply
--! returns: for each 1, or 0 if it did not hold its job; then a row for each that was set aside (queue, id, the reason)
local replies, given = {}, {}
for item in items() do
  given[#given + 1] = item
end

local function release(item)
  if not end_execution(item.queue, item.job_id, item.execution_id, worker) then
    return 0
  end
  local job = job_key(item.job_id)
  local known = redis.call('HMGET', job, 'status', 'execution_id', 'stop_requested', 'failure_ttl', 'waiters', 'token',
    'rate_limit_key', 'reported')
  local to = known[1] and after('release', known[1])
  if not to or known[2] ~= item.execution_id then
    return 0
  end
  if known[3] == item.execution_id then
    item.event, item.to, item.entry, item.fields, item.follow = 'release', to, {}, {}, 'callback'
    item.started_at, item.ended_at, item.ttl = 0, 0, tonumber(known[4] or '') or failure_ttl
    heed_stop(item, known[3])
    apply(item, worker, {waiters = known[5], token = known[6], limit = known[7], reported = known[8]}, 0)
    return 1
  end
  redis.call('HSET', job, 'status', to)
  redis.pcall('HINCRBY', job, 'redeliveries', 1)  -- it may hold no number
  redis.call('HDEL', job, 'started_at', 'worker_name', 'execution_id')
  push(item.queue, item.job_id, true)
  tally('release', item.queue)
  return 1
end

for number = #given, 1, -1 do
  local item = given[number]
  damage = nil
  local fine, reply = pcall(release, item)
  if not fine or damage then
    take_lease(item.queue, item.job_id, item.execution_id)
    set_aside(item.queue, item.job_id, damage or reply)
  end
  replies[number] = fine and reply or 0
end
write_tallies()
return with_broken(replies)

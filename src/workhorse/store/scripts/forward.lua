--! Move scheduled jobs whose time has come onto their queues.
--! keys: scheduled, job
--! events: forward
--! args: limit
--! each: queue
--! include: _clock, _push
--! returns: for each queue how many were moved
local replies = {}
local stamp = text(now)

local function forward(queue, id)
  local job = job_key(id)
  redis.call('ZREM', scheduled_key(queue), id)
  local known = redis.call('HMGET', job, 'status', 'enqueue_at_front', 'enqueue_at_front_on_retry', 'ended_at')
  local to = known[1] and after('forward', known[1])
  if not to then
    return 0
  end
  -- A job that ran before obeys its Retry, a new one what enqueue was told.
  local ran = known[4] and known[4] ~= ''
  redis.call('HSET', job, 'status', to, 'enqueued_at', stamp)
  push(queue, id, known[ran and 3 or 2] == '1')
  return 1
end

for item in items() do
  local moved = 0
  local due = redis.call('ZRANGEBYSCORE', scheduled_key(item.queue), '-inf', score(now), 'LIMIT', 0, limit)
  for _, id in ipairs(due) do
    moved = moved + forward(item.queue, id)
  end
  replies[#replies + 1] = moved
end
return replies

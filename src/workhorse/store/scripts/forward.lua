--! Move scheduled jobs whose time has come onto their queues.
--! keys: scheduled, job
--! events: forward
--! args: limit
--! each: queue
--! include: _clock, _push, _lenient, _limit, _move_on, _set_aside, _vanished
--! returns: for each queue how many were moved; then a row for each job that was set aside, or queue whose keys are of
--!   another kind (queue, id or '', the reason)
local replies = {}

local function forward(queue, id)
  local job = job_key(id)
  redis.call('ZREM', scheduled_key(queue), id)
  local known = redis.call('HMGET', job, 'status', 'enqueue_at_front', 'enqueue_at_front_on_retry', 'ended_at')
  if not known[1] or not after('forward', known[1], after('enqueue', nil)) then
    if not known[1] then note_vanished(id) end
    return 0
  end
  -- A job that ran before obeys its Retry, a new one what enqueue was told.
  local ran = known[4] and known[4] ~= ''
  move_on(id, queue, known[ran and 3 or 2] == '1', 'forward', known[1])
  return 1
end

local function forward_due(queue)
  local moved = 0
  local due = redis.call('ZRANGEBYSCORE', scheduled_key(queue), '-inf', score(now), 'LIMIT', 0, limit)
  if #due > 0 then redis.call('LLEN', queue_key(queue)) end  -- no list: let them wait where they are
  for _, id in ipairs(due) do
    local fine, reply = pcall(forward, queue, id)
    if not fine then set_aside(queue, id, reply) end
    moved = moved + (fine and reply or 1)
  end
  return moved
end

for item in items() do
  local fine, reply = pcall(forward_due, item.queue)
  if not fine then note_broken(item.queue, '', reply) end
  replies[#replies + 1] = fine and reply or 0
end
return with_broken(replies)

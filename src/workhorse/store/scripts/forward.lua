--! Move scheduled jobs whose time has come onto their queues, or to where they wait next: a share of each queue's.
--! keys: queues, queue, scheduled, job
--! events: forward
--! args: limit, names...
--! include: _clock, _push, _lenient, _limit, _move_on, _set_aside, _vanished, _tally
--! returns: the seconds until the next job is due, 0 where more are due than were moved, '' for none; then (queue, how
--!   many) for each queue that jobs were moved of; then a row for each job that was set aside, or queue whose keys are of
--!   another kind (queue, id or '', the reason). Without `names` all queues that were ever used are looked at
local moved, soonest = {}, nil

local function queues_to_look_at()
  if #names > 0 then return names end
  local found, head = {}, queue_key('')
  for _, key in ipairs(redis.call('SMEMBERS', queues_key())) do
    if #key > #head and string.sub(key, 1, #head) == head then found[#found + 1] = string.sub(key, #head + 1) end
  end
  return found
end

-- The seconds until a queue's first job is due; nothing where none waits.
local function wait_of(queue)
  local first = redis.call('ZRANGE', scheduled_key(queue), 0, 0, 'WITHSCORES')[2]
  return first and math.max(tonumber(first) - now, 0)
end

local function forward(queue, id)
  redis.call('ZREM', scheduled_key(queue), id)
  local known = redis.call('HMGET', job_key(id), 'status', 'enqueue_at_front', 'enqueue_at_front_on_retry', 'ended_at')
  if not known[1] then
    note_vanished(id)  -- its ttl was over first
    tally('expire', queue)
    return 0
  end
  if not after('forward', known[1], after('enqueue', nil)) then return 0 end
  -- A job that ran before obeys its Retry, a new one what enqueue was told.
  local ran = known[4] and known[4] ~= ''
  move_on(id, queue, known[ran and 3 or 2] == '1', 'forward', known[1])
  return 1
end

local function forward_due(queue, most)
  redis.call('LLEN', queue_key(queue))  -- no list: let them wait where they are
  local done = 0
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', scheduled_key(queue), '-inf', score(now), 'LIMIT', 0, most)) do
    local fine, reply = pcall(forward, queue, id)
    if not fine then set_aside(queue, id, reply) end
    done = done + (fine and reply or 1)
    if fine and reply == 1 then tally('forward', queue) end
  end
  if done > 0 then moved[#moved + 1] = {queue, done} end
  return wait_of(queue)
end

local function note_wait(queue, fine, wait)
  if not fine then
    note_broken(queue, '', wait)
  elseif wait then
    soonest = math.min(soonest or wait, wait)
  end
end

local due = {}
for _, queue in ipairs(queues_to_look_at()) do
  local fine, wait = pcall(wait_of, queue)
  if fine and wait == 0 then
    due[#due + 1] = queue
  else
    note_wait(queue, fine, wait)
  end
end

-- No queue has to wait until another, in which a million are due, is done; which are first is left to chance.
local share = math.max(1, math.floor(tonumber(limit) / math.max(1, #due)))
local start = math.floor(now * 1000)
for i = 1, math.min(#due, tonumber(limit)) do
  local queue = due[(start + i) % #due + 1]
  note_wait(queue, pcall(forward_due, queue, share))
end
if #due > tonumber(limit) then soonest = 0 end
write_tallies()
return with_broken({soonest and string.format('%.6f', soonest) or '', unpack(moved)})

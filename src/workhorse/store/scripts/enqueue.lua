--! Store new jobs and put them on their queues, or where they wait first; each once however often the call is sent.
--! keys: job, deferred
--! events: enqueue
--! each: job_id, token, queue, at_front, ttl, asks, fields...
--! include: _clock, _push, _make_room, _tally, _others
--! returns: the server's time as text; then for each job '' once it is queued, 'again' where an earlier sending of this
--!   call stored it, '=' and its state where it has more to it, the state of another job that has its id, or 'cycle'
--!   where those it is to wait for wait for it; then a row for each that was set aside (queue, id, the reason)
local stamp = text(now)
local replies = {stamp}

-- A ttl is for waiting: it goes when the job is claimed, or canceled.
local function set_ttl(item)
  if tonumber(item.ttl) > 0 then redis.call('EXPIRE', job_key(item.job_id), item.ttl) end
end

-- Store a job that has more to it than a queue; its state, or 'cycle'.
local function enter(item, asks)
  local job, parents = job_key(item.job_id), asks.parents or {}
  if asks.limit then others().check_limit(asks.limit) end
  local refused = make_room(item, 'enqueue', asks.unique, function()
    return #parents > 0 and others().is_awaited_by(item.job_id, parents) and 'cycle'
  end)
  if refused == 'again' then return '=' .. (redis.call('HGET', job, 'status') or after('enqueue', nil)) end
  if refused then return refused end
  redis.call('LLEN', queue_key(item.queue))  -- where these are of another kind, nothing is stored
  redis.call('ZCARD', deferred_key(item.queue))
  if asks.group then others().join_group(asks.group, item.job_id) end
  if asks.tags then others().note_tags(asks.tags, item.job_id) end
  redis.call('HSET', job, unpack(item.fields))
  set_ttl(item)
  if asks.due_in then
    redis.call('HSET', job, 'scheduled_for', score(now + asks.due_in))
  end
  tally('enqueue', item.queue)
  local state = #parents > 0 and others().defer(item.job_id, item.queue, parents)
    or others().move_on(item.job_id, item.queue, item.at_front == '1')
  return '=' .. state
end

local function enqueue(item)
  if item.asks ~= '' then return enter(item, cjson.decode(item.asks)) end
  local refused = make_room(item, 'enqueue')
  if refused then return refused end
  push(item.queue, item.job_id, item.at_front == '1')  -- first: where the queue is no list, nothing is stored
  redis.call('HSET', job_key(item.job_id), 'status', after('enqueue', nil), 'enqueued_at', stamp, unpack(item.fields))
  set_ttl(item)
  tally('enqueue', item.queue)
  return ''
end

-- What was stored before one failed is stored for good: it is counted, and not when the call is sent again.
local fine, problem = pcall(function()
  for item in items() do replies[#replies + 1] = enqueue(item) end
end)
write_tallies()
if not fine then error(problem, 0) end
return defined and defined.with_broken(replies) or replies

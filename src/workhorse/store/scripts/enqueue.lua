--! Store new jobs and put them on their queues, or where they wait first; each once however often the call is sent.
--! keys: job, groups, group
--! events: enqueue
--! each: job_id, token, queue, at_front, ttl, asks, fields...
--! include: _clock, _push, _end_execution, _make_room, _waiting, _limit, _move_on, _children, _defer
--! returns: the server's time as text; then for each job '' once it is queued, 'again' where an earlier sending of this
--!   call stored it, '=' and its state where it has more to it, the state of another job that has its id, or 'cycle'
--!   where those it is to wait for wait for it
local stamp = text(now)
local replies = {stamp}

-- Store a job that has more to it than a queue; its state, or 'cycle'.
local function enter(item, asks)
  local job, parents = job_key(item.job_id), asks.parents or {}
  if #parents > 0 and is_awaited_by(item.job_id, parents) then return 'cycle' end
  if asks.limit then check_limit(asks.limit) end
  local refused = make_room(item, 'enqueue', asks.unique)
  if refused == 'again' then return '=' .. (redis.call('HGET', job, 'status') or after('enqueue', nil)) end
  if refused then return refused end
  redis.call('HSET', job, unpack(item.fields))
  if asks.due_in then
    redis.call('HSET', job, 'scheduled_for', score(now + asks.due_in))
  end
  if asks.group then
    redis.call('SADD', groups_key(), asks.group)
    redis.call('SADD', group_key(asks.group), item.job_id)
  end
  local state = #parents > 0 and defer(item.job_id, item.queue, parents)
    or move_on(item.job_id, item.queue, item.at_front == '1')
  return '=' .. state
end

local function enqueue(item)
  if item.asks ~= '' then return enter(item, cjson.decode(item.asks)) end
  local refused = make_room(item, 'enqueue')
  if refused then return refused end
  push(item.queue, item.job_id, item.at_front == '1')  -- first: where the queue is no list, nothing is stored
  redis.call('HSET', job_key(item.job_id), 'status', after('enqueue', nil), 'enqueued_at', stamp, unpack(item.fields))
  return ''
end

for item in items() do
  local reply = enqueue(item)
  if tonumber(item.ttl) > 0 and (reply == '' or string.sub(reply, 1, 1) == '=') then
    redis.call('EXPIRE', job_key(item.job_id), item.ttl)
  end
  replies[#replies + 1] = reply
end
return replies

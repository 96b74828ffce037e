--! Go on telling children that their parents ended, where they were too many for one call.
--! keys: promoting
--! events: requeue
--! include: _clock, _push, _lenient, _waiting, _limit, _move_on, _children
--! returns: how many children were looked at; 0 once there is nothing to do
local most = edges
local page = redis.call('HSCAN', promoting_key(), 0, 'COUNT', 10)[2]
for at = 1, #page, 2 do
  local parent, cursor, state = page[at], string.match(page[at + 1], '^(%d+):(.+)$')
  local now_in = redis.call('HGET', job_key(parent), 'status')
  if state ~= 'finished' and now_in and not after('requeue', now_in, after('enqueue', nil)) then
    redis.call('HDEL', promoting_key(), parent)  -- it was requeued, and ends anew
    edges = edges - 1
  else
    walk(parent, state, cursor)
    edges = edges - 1
  end
  if edges <= 0 then break end
end
return most - edges

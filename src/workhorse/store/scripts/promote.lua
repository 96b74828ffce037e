--! Go on telling children that their parents ended, where they were too many for one call.
--! keys: promoting
--! include: _clock, _push, _lenient, _set_aside, _waiting, _limit, _move_on, _children, _telling
--! returns: how many children, and parents, were looked at; 0 once there is nothing to do; then a row for each that was
--!   set aside (queue, id, the reason)
local most = edges
local some = lenient('HRANDFIELD', promoting_key(), 10, 'WITHVALUES')
if not some then redis.call('DEL', promoting_key()) end

local function go_on(parent, place)
  edges = edges - 1
  local cursor, state = string.match(place, '^(%d+):(.+)$')
  redis.call('HDEL', promoting_key(), parent)
  if not state or lenient('SCARD', dependents_key(parent)) == nil then return end
  local now_in = lenient('HGET', job_key(parent), 'status')
  if state ~= 'finished' and now_in and not has_failed(now_in) then return end  -- it was requeued, and ends anew
  go_on_telling(parent, state, cursor)
end

for at = 1, #(some or {}), 2 do
  if edges <= 0 then break end
  go_on(some[at], some[at + 1])
end
write_tallies()
return with_broken({most - edges})

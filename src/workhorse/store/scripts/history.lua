--! Read the records of the last slots of time, of all queues together ('') or of some. Changes nothing.
--! keys: history, history_of
--! args: at, span, count, steps..., sizes...
--! each: queue
--! include: _clock, _lenient, _ring
--! returns: the moment that counts; then for each the records of `count` slots, up to this one, or '' where there are none
local moment, many = tonumber(at) or now, tonumber(count)
local number, size = tonumber(span), tonumber(sizes[tonumber(span)])
local place = place_of(number, 0)
local last = math.floor(moment / steps[number]) % size

local function records(key, from, to)
  if from > to then return '' end
  return lenient('GETRANGE', key, place + from * record_length, place + (to + 1) * record_length - 1) or ''
end

local replies = {score(moment)}
for item in items() do
  local key, from = item.queue == '' and history_key() or history_of_key(item.queue), last - many + 1
  -- A ring: what is before its beginning is at its end.
  replies[#replies + 1] = records(key, from + size, size - 1) .. records(key, math.max(from, 0), last)
end
return replies

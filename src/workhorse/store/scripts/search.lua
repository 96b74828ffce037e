--! Look at some jobs of a place, and say which may be meant: what is left over is compared by the caller. Changes nothing.
--! keys: queue, lease, finished, failed, scheduled, deferred, canceled, ready, limited, failed_of, tag, job
--! args: place, name, offset, length, after, before, state_of..., queue_of..., func..., word...
--! include: _lenient
--! returns: how many are in the place, 0 where it can't be read; how many were looked at; then for each its place and its id, newest first
local keys_of = {lease = lease_key, finished = finished_key, failed = failed_key, scheduled = scheduled_key,
  deferred = deferred_key, canceled = canceled_key, ready = ready_key, limited = limited_key, failed_of = failed_of_key,
  tag = tag_key}
local first, last = tonumber(offset), tonumber(offset) + tonumber(length) - 1

local function read()
  if place ~= 'queue' then
    local key = keys_of[place](name)
    return lenient('ZCARD', key) or 0, lenient('ZREVRANGE', key, first, last) or {}
  end
  local size = lenient('LLEN', queue_key(name)) or 0
  local upto, found = size - 1 - first, {}
  if upto < 0 then return size, found end
  local some = redis.call('LRANGE', queue_key(name), math.max(0, size - 1 - last), upto)
  for i = #some, 1, -1 do found[#found + 1] = some[i] end
  return size, found
end

local function is_among(value, wanted)
  for _, one in ipairs(wanted) do
    if one == value then return true end
  end
  return #wanted == 0
end

local function has_one(text, wanted)
  for _, one in ipairs(wanted) do
    if string.find(text, one, 1, true) then return true end
  end
  return #wanted == 0
end

-- A description says what is called, unless it is of somebody's own words: then the call itself has to be looked at.
local function may_call(id, description)
  local called = string.match(description, '^([%a_][%w_]*%.[%w_.]+)%(')
  if not called then return true end
  called = string.lower(called)
  return has_one(called, func) and (has_one(called, word) or is_among(string.lower(id), word))
end

local function may_be_meant(id)
  local known = lenient('HMGET', job_key(id), 'status', 'origin', 'created_at', 'description') or {}
  if not known[1] or not is_among(known[1], state_of) or not is_among(known[2], queue_of) then return false end
  local made = string.sub(known[3] or '', 1, 19)
  if after ~= '' and made < after or before ~= '' and made > before then return false end
  return may_call(id, string.sub(known[4] or '', 1, 500))
end

local size, ids = read()
local found = {size, #ids}
for number, id in ipairs(ids) do
  if place == 'lease' then id = string.match(id, '^(.+):[^:]+$') or id end
  if may_be_meant(id) then found[#found + 1] = {number, id} end
end
return found

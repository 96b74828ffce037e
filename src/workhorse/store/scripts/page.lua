--! Read a page of the jobs in a place, or those named, each field cut to `longest` bytes. Changes nothing.
--! keys: queue, lease, finished, failed, scheduled, deferred, canceled, ready, limited, allowed, broken, failed_of, tag
--! keys: job
--! args: place, name, offset, length, backwards, longest, ids..., fields...
--! include: _lenient
--! returns: how many there are in all, or why they can't be read; then for each its entry, its score or '', its fields
local keys_of = {queue = queue_key, lease = lease_key, finished = finished_key, failed = failed_key,
  scheduled = scheduled_key, deferred = deferred_key, canceled = canceled_key, ready = ready_key, limited = limited_key,
  allowed = allowed_key, broken = broken_key, failed_of = failed_of_key, tag = tag_key}
local first, last = tonumber(offset), tonumber(offset) + tonumber(length) - 1

local function of_list(key)
  local size, found = redis.call('LLEN', key), {}
  if backwards == '1' then first, last = size - 1 - last, size - 1 - first end
  if last < 0 then return size, found end
  for _, id in ipairs(redis.call('LRANGE', key, math.max(first, 0), last)) do
    table.insert(found, backwards == '1' and 1 or #found + 1, {id, ''})
  end
  return size, found
end

local function of_sorted_set(key)
  local found = {}
  local flat = redis.call(backwards == '1' and 'ZREVRANGE' or 'ZRANGE', key, first, last, 'WITHSCORES')
  for i = 1, #flat, 2 do found[#found + 1] = {flat[i], flat[i + 1]} end
  return redis.call('ZCARD', key), found
end

local function entries()
  if place == '' then
    local found = {}
    for i, id in ipairs(ids) do found[i] = {id, ''} end
    return #found, found
  end
  local key = keys_of[place](name)
  if place == 'queue' or place == 'broken' then return of_list(key) end
  return of_sorted_set(key)
end

local function row_of(entry)
  local id = place == 'lease' and string.match(entry[1], '^(.+):[^:]+$') or entry[1]
  local values = lenient('HMGET', job_key(id), unpack(fields)) or {}
  for i = 1, #fields do
    local value = values[i] or false
    entry[i + 2] = value and string.sub(value, 1, tonumber(longest))
  end
  return entry
end

local fine, rows = pcall(function()
  local size, found = entries()
  for _, entry in ipairs(found) do row_of(entry) end
  return {size, unpack(found)}
end)
return fine and rows or {tostring(rows)}

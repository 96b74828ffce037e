--! Take jobs off a cause that are gone, or did not fail of it last: the oldest, and one page of all.
--! keys: causes, cause, failed_of, job
--! args: id, cursor, count, forget_after
--! include: _clock, _lenient
--! returns: where the next page begins, "0" after the last; and how many were taken off
local key, gone = failed_of_key(id), {}

local function look(job_id)
  local known = lenient('HMGET', job_key(job_id), 'status', 'cause') or {}
  if known[1] ~= 'failed' or known[2] ~= id then gone[#gone + 1] = job_id end
end

local page = redis.pcall('ZSCAN', key, cursor, 'COUNT', count)
if page.err then  -- no sorted set: what failed from now on is listed
  redis.call('DEL', key)
  page = {'0', {}}
end
for at = 1, #page[2], 2 do look(page[2][at]) end
for _, job_id in ipairs(redis.call('ZRANGE', key, 0, count - 1)) do look(job_id) end  -- they expire first
local removed = 0
for _, job_id in ipairs(gone) do removed = removed + redis.call('ZREM', key, job_id) end

-- What failed shortly before may fail of it again: it is then known since when.
local last = tonumber(lenient('ZSCORE', causes_key(), id) or '') or 0
if redis.call('EXISTS', key) == 0 and now - last > tonumber(forget_after) then
  redis.call('DEL', cause_key(id))
  lenient('ZREM', causes_key(), id)
end
return {page[1], removed}

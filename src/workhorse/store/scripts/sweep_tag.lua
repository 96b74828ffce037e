--! Take jobs off a tag that are gone, or do not have it: the oldest, and one page of all.
--! keys: tags, tag, job
--! args: tag, cursor, count
--! include: _lenient
--! returns: where the next page begins, "0" after the last; and how many were taken off
local key, gone = tag_key(tag), {}

local function look(job_id)
  local fine, names = pcall(cjson.decode, lenient('HGET', job_key(job_id), 'tags') or '[]')
  for _, name in ipairs(fine and type(names) == 'table' and names or {}) do
    if name == tag then return end
  end
  gone[#gone + 1] = job_id
end

local page = redis.pcall('ZSCAN', key, cursor, 'COUNT', count)
if page.err then  -- no sorted set: jobs from now on are listed
  redis.call('DEL', key)
  page = {'0', {}}
end
for at = 1, #page[2], 2 do look(page[2][at]) end
for _, job_id in ipairs(redis.call('ZRANGE', key, 0, count - 1)) do look(job_id) end  -- they expire first
local removed = 0
for _, job_id in ipairs(gone) do removed = removed + redis.call('ZREM', key, job_id) end
if redis.call('EXISTS', key) == 0 then lenient('SREM', tags_key(), tag) end
return {page[1], removed}

--! Take jobs off a tag that are gone, or do not have it: the oldest, and one page of all.
--! keys: tags, tag, job
--! args: tag, cursor, count
--! include: _sweep_index
--! returns: where the next page begins, "0" after the last; and how many were taken off
local key = tag_key(tag)

local next_page, removed = sweep_index(key, cursor, count, function(job_id)
  local fine, names = pcall(cjson.decode, lenient('HGET', job_key(job_id), 'tags') or '[]')
  for _, name in ipairs(fine and type(names) == 'table' and names or {}) do
    if name == tag then return false end
  end
  return true
end)
if redis.call('EXISTS', key) == 0 then lenient('SREM', tags_key(), tag) end
return {next_page, removed}

--! keys: tags, tag
--! include: _anew
-- Jobs are listed under each of their tags, as JSON in their hashes. Those that are gone are swept.
local tags_kept_for = 34560000

local function note_tags(text, job_id)
  local fine, names = pcall(cjson.decode, text)
  for _, name in ipairs(fine and type(names) == 'table' and names or {}) do
    anew('ZADD', tag_key(name), score(now), job_id)
    anew('SADD', tags_key(), name)
    redis.call('EXPIRE', tag_key(name), tags_kept_for)
    redis.call('EXPIRE', tags_key(), tags_kept_for)
  end
end

local function leave_tags(text, job_id)
  local fine, names = pcall(cjson.decode, text)
  for _, name in ipairs(fine and type(names) == 'table' and names or {}) do
    if type(name) == 'string' then redis.pcall('ZREM', tag_key(name), job_id) end
  end
end

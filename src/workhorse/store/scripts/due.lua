--! Look which cron entries are due. Nothing is changed but what has no entry, or can't be read.
--! keys: cron_due, cron_entry
--! args: at, limit, fields...
--! include: _clock, _set_aside
--! returns: the moment that counts; that of the next entry, or ''; then for each one that is due its name and `fields`
local moment = tonumber(at) or now
local rows, again_after = {}, 30

local function look(name)
  local entry = cron_entry_key(name)
  if oddity_of(name) then error(oddity_of(name), 0) end
  if redis.call('EXISTS', entry) == 0 then
    redis.call('ZREM', cron_due_key(), name)
    return nil
  end
  return redis.call('HMGET', entry, unpack(fields))
end

for _, name in ipairs(redis.call('ZRANGEBYSCORE', cron_due_key(), '-inf', score(moment), 'LIMIT', 0, limit)) do
  local fine, found = pcall(look, name)
  if not fine then
    note_broken('cron entry ' .. name, '', found)
    redis.call('ZADD', cron_due_key(), oddity_of(name) and 'inf' or score(now + again_after), name)
  elseif found then
    rows[#rows + 1] = {name, found}
  end
end
local first = redis.call('ZRANGE', cron_due_key(), 0, 0, 'WITHSCORES')
return {score(moment), first[2] or '', rows, broken}

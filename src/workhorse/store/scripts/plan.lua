--! Store a cron entry, or change it; once however often the call is sent.
--! keys: cron_due, cron_entry
--! args: name, expected, version, slot, due, fields...
--! include: _clock
--! returns: '' once it is stored, 'changed' where its version is not the `expected` one ('' for none), 'late' where its
--!   next slot was fired meanwhile
local entry = cron_entry_key(name)
-- What `fire` writes; all else is the entry's own.
local kept = {live = 1, last_job = 1, last_slot = 1, last_at = 1, fired = 1, skipped = 1, created_at = 1, slot = 1}

local known = redis.call('HMGET', entry, 'version', 'last_slot')
if known[1] == version then return '' end
if (known[1] or '') ~= expected then return 'changed' end
local last = tonumber(known[2] or '')  -- '' where it ran by hand alone
if slot ~= 'same' and slot ~= '' and last and tonumber(slot) <= last then return 'late' end

redis.call('HSET', entry, 'version', version)
for _, field in ipairs(redis.call('HKEYS', entry)) do
  if not kept[field] and field ~= 'version' then redis.call('HDEL', entry, field) end
end
redis.call('HSET', entry, unpack(fields))
redis.call('HSETNX', entry, 'created_at', text(now))
redis.call('HSET', entry, 'edited_at', text(now))
if slot ~= 'same' then
  redis.call('HSET', entry, 'slot', slot)
  redis.call('ZADD', cron_due_key(), due, name)
elseif not redis.call('ZSCORE', cron_due_key(), name) then  -- the server forgot it; `fire` puts a jitter right
  local known_slot = redis.call('HGET', entry, 'slot') or ''
  redis.call('ZADD', cron_due_key(), known_slot == '' and 'inf' or known_slot, name)
end
return ''

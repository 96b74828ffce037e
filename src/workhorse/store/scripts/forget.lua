--! Remove cron entries. Their jobs, and the history of these, stay.
--! keys: cron_due, cron_entry
--! each: name, version
--! returns: how many there were; with a `version` only one that was not edited since counts
local gone = 0
for item in items() do
  local entry = cron_entry_key(item.name)
  if item.version == '' or redis.call('HGET', entry, 'version') == item.version then
    redis.call('ZREM', cron_due_key(), item.name)
    gone = gone + redis.call('DEL', entry)
  end
end
return gone

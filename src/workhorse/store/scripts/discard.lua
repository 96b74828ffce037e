--! Take entries that no client can have made off the leases of a queue, and set them aside.
--! keys: lease
--! args: queue, members...
--! include: _set_aside
--! returns: a row for each (queue, entry, the reason)
for _, member in ipairs(members) do
  if redis.call('ZREM', lease_key(queue), member) == 1 then
    set_aside(queue, member, 'an entry that is not UTF-8')
  end
end
return with_broken({})

--! Remove expired entries from the registries of finished and failed jobs. Their hashes expire by themselves.
--! keys: finished, failed
--! args: limit, kinds...
--! each: queue
--! include: _clock, _set_aside
--! returns: for each queue how many were removed; then a row for each registry of another kind (queue, '', the reason)
local replies = {}
local registries = {finished = finished_key, failed = failed_key}
for item in items() do
  local removed = 0
  for _, kind in ipairs(kinds) do
    local registry = registries[kind](item.queue)
    -- From 0: a negative score means "for ever" in RQ.
    local expired = redis.pcall('ZRANGEBYSCORE', registry, 0, score(now), 'LIMIT', 0, limit)
    if expired.err then
      note_broken(item.queue, '', expired.err)
    elseif #expired > 0 then
      removed = removed + redis.call('ZREM', registry, unpack(expired))
    end
  end
  replies[#replies + 1] = removed
end
return with_broken(replies)

--! Remove expired entries from the registries of finished and failed jobs. Their hashes expire by themselves.
--! keys: finished, failed
--! args: limit
--! each: queue
--! include: _clock
--! returns: for each queue how many were removed
local replies = {}
for item in items() do
  local removed = 0
  for _, registry in ipairs({finished_key(item.queue), failed_key(item.queue)}) do
    -- From 0: a negative score means "for ever" in RQ.
    local expired = redis.call('ZRANGEBYSCORE', registry, 0, score(now), 'LIMIT', 0, limit)
    if #expired > 0 then
      removed = removed + redis.call('ZREM', registry, unpack(expired))
    end
  end
  replies[#replies + 1] = removed
end
return replies

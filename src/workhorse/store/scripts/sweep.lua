--! Remove expired entries from the registries of finished and failed jobs. Their hashes expire by themselves.
--! keys: finished, failed, job, dependencies
--! args: limit, kinds...
--! each: queue
--! include: _clock, _set_aside
--! returns: for each queue how many were removed; then a row for each registry of another kind (queue, '', the reason)
local replies = {}
local registries = {finished = finished_key, failed = failed_key}
-- RQ's worker leaves a job that waited for others its set of them, which has no expiry where ours ran the job then.
local function drop_edges(ids)
  local edges = {}
  for i, id in ipairs(ids) do edges[i] = dependencies_key(id) end
  if redis.call('EXISTS', unpack(edges)) == 0 then return end
  for i, id in ipairs(ids) do
    if redis.call('EXISTS', job_key(id)) == 0 then redis.call('DEL', edges[i]) end
  end
end

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
      drop_edges(expired)
    end
  end
  replies[#replies + 1] = removed
end
return with_broken(replies)

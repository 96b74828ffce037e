--! Take workers whose hash is gone off the lists of workers: theirs expired, or its server was wiped.
--! keys: workers, workers_of
--! args: limit
--! each: queue
--! returns: how many names were removed. A few of each list are looked at, whichever: the next call looks at others
local removed = 0

local function sweep(key)
  for _, name in ipairs(redis.pcall('SRANDMEMBER', key, limit)) do  -- none in a key of another kind
    -- Names are whole keys here, as RQ writes them. One that registers meanwhile comes before this script or after it.
    if redis.call('EXISTS', name) == 0 then
      removed = removed + redis.call('SREM', key, name)
    end
  end
end

sweep(workers_key())
for item in items() do
  sweep(workers_of_key(item.queue))
end
return removed

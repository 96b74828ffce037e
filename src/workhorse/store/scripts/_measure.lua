--! keys: durations
-- How long runs took, by function: a histogram, as Prometheus has it, but each run in one bucket only. Names are
-- bounded: whoever makes up a new one for each job has them all counted as one.
local bounds = {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600, math.huge}
local most_fields = 10000
local measured, in_all = {}, {}

local function measure(name, seconds, has_failed)
  local bound = 1
  while seconds > bounds[bound] do bound = bound + 1 end
  local field = (bounds[bound] == math.huge and 'inf' or bounds[bound]) .. ':' .. name
  measured[field] = (measured[field] or 0) + 1
  in_all[name] = (in_all[name] or 0) + seconds
  if has_failed then measured['failed:' .. name] = (measured['failed:' .. name] or 0) + 1 end
end

local function write_measured()
  for field, many in pairs(measured) do
    if add_to(durations_key(), field, many) == many and redis.call('HLEN', durations_key()) > most_fields then
      redis.call('HDEL', durations_key(), field)
      add_to(durations_key(), string.match(field, '^[^:]*:') .. '(other)', many)
    end
  end
  for name, seconds in pairs(in_all) do
    add_to(durations_key(), 'micros:' .. name, math.floor(seconds * 1000000 + 0.5))
  end
end

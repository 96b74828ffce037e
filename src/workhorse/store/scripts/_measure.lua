--! keys: durations
-- How long runs took, by function: a histogram, as Prometheus has it, but each run in one bucket only. Names are
-- bounded: whoever makes up a new one for each job has them all counted as one.
local most_fields = 10000
local measured = {}

-- Comparisons, and no table: a call would make that anew, which takes longer.
local function bucket_of(seconds)
  if seconds <= 0.1 then
    if seconds <= 0.005 then return seconds <= 0.001 and '0.001:' or seconds <= 0.002 and '0.002:' or '0.005:' end
    if seconds <= 0.02 then return seconds <= 0.01 and '0.01:' or '0.02:' end
    return seconds <= 0.05 and '0.05:' or '0.1:'
  elseif seconds <= 20 then
    if seconds <= 1 then return seconds <= 0.2 and '0.2:' or seconds <= 0.5 and '0.5:' or '1:' end
    return seconds <= 2 and '2:' or seconds <= 5 and '5:' or seconds <= 10 and '10:' or '20:'
  elseif seconds <= 600 then
    return seconds <= 60 and '60:' or seconds <= 120 and '120:' or seconds <= 300 and '300:' or '600:'
  end
  return seconds <= 1800 and '1800:' or seconds <= 3600 and '3600:' or 'inf:'
end

local function measure(name, seconds, has_failed)
  local of, bucket = measured[name], bucket_of(seconds)
  if not of then
    of = {seconds = 0}
    measured[name] = of
  end
  of[bucket] = (of[bucket] or 0) + 1
  of.seconds = of.seconds + seconds
  if has_failed then of['failed:'] = (of['failed:'] or 0) + 1 end
end

local function write_measured()
  local key = durations_key()
  for name, of in pairs(measured) do
    of['micros:'], of.seconds = math.max(0, math.floor(of.seconds * 1000000 + 0.5)), nil
    for kind, many in pairs(of) do
      if add_to(key, kind .. name, many) == many and redis.call('HLEN', key) > most_fields then
        redis.call('HDEL', key, kind .. name)
        add_to(key, kind .. '(other)', many)
      end
    end
  end
end

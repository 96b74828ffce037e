-- The server's time: `now` in seconds, and text(moment) as RQ writes a date.
-- Times come from here alone, because the clocks of workers may be wrong by hours.
local server_time = redis.call('TIME')
local now = tonumber(server_time[1]) + tonumber(server_time[2]) / 1000000

local function date_of(day)
  -- Civil date of a day counted from 1970-01-01; H. Hinnant, chrono-Compatible Low-Level Date Algorithms.
  local z = day + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02d', year, month, doy - math.floor((153 * mp + 2) / 5) + 1)
end

local shown_second, shown_text
local function text(moment)
  local micros = math.floor(moment * 1000000 + 0.5)
  local second = math.floor(micros / 1000000)
  if second ~= shown_second then
    local day = math.floor(second / 86400)
    local rest = second - day * 86400
    shown_second = second
    shown_text = string.format('%sT%02d:%02d:%02d', date_of(day), math.floor(rest / 3600),
      math.floor(rest / 60) % 60, rest % 60)
  end
  return string.format('%s.%06dZ', shown_text, micros - second * 1000000)
end

-- A sorted set's score: redis would write a Lua number with 14 digits, too few for microseconds.
local function score(moment)
  return string.format('%.6f', moment)
end

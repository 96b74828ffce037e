-- The moment that a date means, by `text` of _clock or by RQ; nil for what is none.
local function moment_of(date)
  local year, month, day, hour, minute, second =
    string.match(date or '', '^(%d%d%d%d)-(%d%d)-(%d%d)T(%d%d):(%d%d):(%d%d%.?%d*)')
  if not year then return nil end
  -- Days since 1970-01-01, with years that begin in March; H. Hinnant, as in _clock.
  local y, m = tonumber(year), (tonumber(month) + 9) % 12
  if m > 9 then y = y - 1 end
  local days = 365 * y + math.floor(y / 4) - math.floor(y / 100) + math.floor(y / 400)
    + math.floor((153 * m + 2) / 5) + day - 1 - 719468
  return days * 86400 + hour * 3600 + minute * 60 + second
end

--! Let time pass for everything stored, for tests: what is to come comes nearer by so many seconds, and what has
--! happened keeps its date. Cron entries name moments of the calendar and stay: for them `advanced` says how late it is.
--! keys: job, scheduled, lease, finished, failed, executions, advanced
--! args: token, by, pattern
--! include: _clock
--! returns: how many keys were looked at; 0 where this very call was carried out before
local a_month = 2592000
if redis.call('HGET', advanced_key(), 'token') == token then return 0 end

-- A score of a moment; one below 0, or without end, means "for ever".
local function move_scores(key)
  local entries = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  for at = 1, #entries, 2 do
    local moment = tonumber(entries[at + 1])
    if moment and moment >= 0 and moment < math.huge then
      redis.call('ZADD', key, score(math.max(moment - by, 0)), entries[at])
    end
  end
end

local function move_job(key)
  local due = tonumber(redis.call('HGET', key, 'scheduled_for') or '')
  if due then redis.call('HSET', key, 'scheduled_for', score(math.max(due - by, 0))) end
end

local function move_expiry(key)
  local left = redis.call('PTTL', key)
  if left < 0 then return true end
  if left > by * 1000 then
    redis.call('PEXPIRE', key, math.ceil(left - by * 1000))
    return true
  end
  redis.call('DEL', key)
  return false
end

local moved = {
  zset = {scheduled_key(''), lease_key(''), finished_key(''), failed_key(''), executions_key('')},
  hash = {job_key('')},
}

local function move(key)
  if not move_expiry(key) then return end
  local kind = redis.call('TYPE', key).ok
  for _, start in ipairs(moved[kind] or {}) do
    if string.sub(key, 1, #start) == start then
      if kind == 'zset' then move_scores(key) else move_job(key) end
      return
    end
  end
end

-- All names first: what SCAN finds while keys change is not all of them.
local cursor, names, known = '0', {}, {}
repeat
  local page = redis.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    if not known[key] and key ~= advanced_key() then names[#names + 1] = key end
    known[key] = true
  end
until cursor == '0'
for _, key in ipairs(names) do move(key) end
redis.call('HSET', advanced_key(), 'token', token)
redis.call('HINCRBYFLOAT', advanced_key(), 'seconds', by)
redis.call('EXPIRE', advanced_key(), a_month)
return #names

--! keys: job, limits, limit, allowed, limited
--! events: admit
-- At most so many jobs with one key are queued or run: those have a place. The others wait, in the order in which
-- they came. The keys are RQ's.
local most_stale = 100
local places_asked = 0

-- RQ's keys of a limit `x:allowed` would be those of `x`: such names get a colon more.
local function limit_name(key)
  local bare = string.gsub(key, ':+$', '')
  if string.find(bare, ':allowed$') or string.find(bare, ':rate_limited$') then return key .. ':' end
  return key
end

local function forget_unused(name)
  if redis.call('EXISTS', allowed_key(name), limited_key(name)) == 0 then
    redis.call('SREM', limits_key(), name)
    redis.call('DEL', limit_key(name))
  end
end

-- Give free places to those that wait.
local function admit(name)
  local most, stale = tonumber(redis.call('HGET', limit_key(name), 'concurrency') or '') or 1, 0
  while stale < most_stale and redis.call('ZCARD', allowed_key(name)) < most do
    local id = redis.call('ZRANGE', limited_key(name), 0, 0)[1]
    if not id then break end
    redis.call('ZREM', limited_key(name), id)
    local known = redis.call('HMGET', job_key(id), 'status', 'origin', 'enqueue_at_front')
    local to = known[1] and after('admit', known[1])
    if to then
      redis.call('ZADD', allowed_key(name), score(now), id)
      push(known[2] or '', id, known[3] == '1')
      redis.call('HSET', job_key(id), 'status', to, 'enqueued_at', text(now))
    else
      stale = stale + 1  -- canceled or begun anew by RQ meanwhile
    end
  end
  forget_unused(name)
end

local function wait_for_place(key, concurrency, job_id)
  local name = limit_name(key)
  redis.call('SADD', limits_key(), name)
  redis.call('HSET', limit_key(name), 'concurrency', concurrency or 1)
  -- Those of one call came one after the other, too; a call takes longer than a microsecond for each.
  redis.call('ZADD', limited_key(name), score(now + places_asked / 1000000), job_id)
  places_asked = places_asked + 1
  admit(name)
end

-- A job does not need its place any more, nor wait for one.
local function leave_limit(key, job_id)
  if not key or key == '' then return end
  local name = limit_name(key)
  lenient('ZREM', limited_key(name), job_id)
  if lenient('ZREM', allowed_key(name), job_id) == 1 then
    admit(name)
  else
    forget_unused(name)
  end
end

--! keys: job, queues, queue, limits, limit, allowed, limited, place
--! events: admit
--! include: _vanished
-- At most so many jobs with one key are queued or run: those have a place. The others wait, in the order in which
-- they came. The keys are RQ's, and any of them may be of another kind: that keeps its own jobs, and stops nobody.
local most_stale, most_admitted = 100, 500

-- An error, before anything is stored, where the keys of a limit can't be worked.
local function check_limit(name)
  redis.call('HLEN', limit_key(name))
  redis.call('ZCARD', allowed_key(name))
  redis.call('ZCARD', limited_key(name))
end

local function forget_unused(name)
  if redis.call('EXISTS', allowed_key(name), limited_key(name)) == 0 then
    lenient('SREM', limits_key(), name)
    -- RQ's limit `x:allowed` has as its own key the places of `x`; our client gives such names a colon more.
    if not string.find(name, ':allowed$') and not string.find(name, ':rate_limited$') then
      redis.call('DEL', limit_key(name))
    end
  end
end

-- The hash of a job that waits in its queue may expire before anybody claims it: its place is known all the same.
local function note_place(job_id, name, ttl)
  local seconds = tonumber(ttl or '') or 0
  if seconds > 0 and seconds <= 1e10 then
    redis.call('SET', place_key(job_id), name, 'EX', math.ceil(seconds) + 86400)
  end
end

local function limit_of_expired(job_id)
  return lenient('GET', place_key(job_id))
end

local function give_place(name, id, queue, at_front, known, to)
  redis.call('ZREM', limited_key(name), id)
  redis.call('ZADD', allowed_key(name), score(now), id)
  note_place(id, name, known[7])
  lenient('SADD', queues_key(), queue_key(queue))
  push(queue, id, at_front)
  redis.call('HSET', job_key(id), 'status', to, 'enqueued_at', text(now))
end

-- Give free places to those that wait; return how many. `first`, where it is among them, goes where `at_front` says.
local function admit(name, first, at_front)
  local most = tonumber(lenient('HGET', limit_key(name), 'concurrency') or '')
  local stale, passed, admitted = 0, 0, 0
  while stale + passed < most_stale and admitted < most_admitted do
    local id = (lenient('ZRANGE', limited_key(name), passed, passed) or {})[1]
    if not id or (lenient('ZCARD', allowed_key(name)) or math.huge) >= (most or 1) then break end
    local known = lenient('HMGET', job_key(id), 'status', 'origin', 'rate_limit_key', 'enqueue_at_front',
      'enqueue_at_front_on_retry', 'ended_at', 'ttl') or {}
    local to, queue = known[1] and after('admit', known[1]), known[2] or ''
    if not to or queue == '' or known[3] ~= name then
      redis.call('ZREM', limited_key(name), id)  -- canceled, or begun anew, by RQ meanwhile
      if not known[1] then note_vanished(id) end  -- or its ttl was over
      stale = stale + 1
    elseif not lenient('LLEN', queue_key(queue)) then
      passed = passed + 1  -- no list: it waits until it is one again, and others don't wait for that
    else
      local ran = known[6] and known[6] ~= ''
      local goes_first = known[ran and 5 or 4] == '1'
      if id == first then goes_first = at_front end
      give_place(name, id, queue, goes_first, known, to)
      admitted = admitted + 1
    end
  end
  forget_unused(name)
  return admitted
end

-- Have a job wait for a place, and give it one if there is one. Of a new job the concurrency holds from now on.
local function wait_for_place(name, concurrency, job_id, at_front, to, is_new)
  redis.call('ZREM', allowed_key(name), job_id)  -- of one that expired in its queue, and had this id
  -- After the last, also where that came in the same call, or by a clock that was ahead.
  local last = tonumber(redis.call('ZRANGE', limited_key(name), -1, -1, 'WITHSCORES')[2] or '') or 0
  local since = (last >= now and last < now + 86400) and last + 0.000001 or now
  redis.call('ZADD', limited_key(name), score(since), job_id)
  redis.call(is_new and 'HSET' or 'HSETNX', limit_key(name), 'concurrency', tonumber(concurrency or '') or 1)
  redis.call('HSET', job_key(job_id), 'status', to)
  lenient('SADD', limits_key(), name)
  admit(name, job_id, at_front)
end

-- Take a job's place, and its wait for one; whether its limit has a place more now.
local function give_up_place(name, job_id)
  if not name or name == '' then return false end
  lenient('ZREM', limited_key(name), job_id)
  if lenient('ZREM', allowed_key(name), job_id) == 1 then return true end
  forget_unused(name)
  return false
end

-- A job does not need its place any more, nor wait for one.
local function leave_limit(name, job_id)
  if give_up_place(name, job_id) then admit(name) end
end

--! include: _tally
--! keys: dependents, job, queue, finished, failed, scheduled, results, log, ended, tombstone
-- Move a job to where a verdict sends it. Its execution was ended before. `sent_at` and the item's times
-- are of the sender's own clock, whatever its epoch: only their differences count.
local damage  -- why the last was not applied in full: a key of another kind, which keeps back no other step

local function try(...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then return true end
  damage = damage or reply.err
  return false
end

-- A job's log lives as long as its results.
local function keep_log(job_id, ttl)
  if ttl < 0 then try('PERSIST', log_key(job_id)) else try('EXPIRE', log_key(job_id), ttl) end
end

local function keep_ended(registry, item, job)
  local ttl = tonumber(item.ttl)
  try('ZADD', registry, ttl < 0 and (item.to == 'finished' and '+inf' or ttl) or score(now + ttl), item.job_id)
  if ttl >= 0 then
    try('EXPIRE', job, item.ttl)
    try('EXPIRE', results_key(item.job_id), item.ttl)
  end
end

local function add_result(item, worker, began, ended)
  return redis.pcall('XADD', results_key(item.job_id), 'MAXLEN', 10, '*', 'worker_name', worker,
    'execution_id', item.execution_id, 'execution_started_at', score(began),
    'execution_ended_at', score(ended), unpack(item.entry))
end

local function put(item, worker, known, sent_at, is_over)
  local job = job_key(item.job_id)
  local waiters = tonumber(known.waiters or '') or 0
  local began, ended = now - (sent_at - item.started_at), now - (sent_at - item.ended_at)
  if is_over and tonumber(item.ttl) == 0 then
    redis.call('DEL', job, results_key(item.job_id))
    if known.reported then redis.call('DEL', log_key(item.job_id)) end
    redis.call('SET', tombstone_key(item.job_id), item.execution_id .. ':' .. (known.token or ''), 'EX', 60)
  else
    redis.call('HSET', job, 'status', item.to, 'started_at', text(began), 'ended_at', text(ended),
      unpack(item.fields))
    if #item.entry > 0 and type(add_result(item, worker, began, ended)) == 'table' then
      redis.call('DEL', results_key(item.job_id))  -- no stream, or one that is full: nobody can read it
      add_result(item, worker, began, ended)
    end
    if known.reported and not is_over then redis.call('HDEL', job, 'progress') end  -- the next run has its own
    if item.to == 'queued' then
      redis.call('HSET', job, 'enqueued_at', text(now))
      local pushed, problem = pcall(push, item.queue, item.job_id, item.at_front == '1')
      damage = damage or not pushed and problem or nil
      return
    elseif item.to == 'scheduled' then
      redis.call('HSET', job, 'scheduled_for', score(now + item.due_in))
      try('ZADD', scheduled_key(item.queue), score(now + item.due_in), item.job_id)
      return
    end
    keep_ended(item.to == 'finished' and finished_key(item.queue) or failed_key(item.queue), item, job)
    if known.reported then keep_log(item.job_id, tonumber(item.ttl)) end
  end
  if waiters > 0 then
    tell_waiting(item.job_id, waiters)
  end
end

-- Others go on all the same, whatever the keys of these hold.
local function let_go(step, ...)
  local went, problem = pcall(step, ...)
  damage = damage or not went and problem or nil
end

local function apply(item, worker, known, sent_at)
  tally(item.to == 'failed' and 'fail' or item.event, item.queue)
  local is_over = item.to ~= 'queued' and item.to ~= 'scheduled'
  local noted = item.follow ~= '' and (is_over or item.event == 'repeat') and others().noted_for_followers(item)
  put(item, worker, known, sent_at, is_over)
  if item.to == 'failed' then
    let_go(others().note_cause, item)
  end
  if noted then
    let_go(others().follow_up, item, noted, now - (sent_at - item.ended_at))
  end
  if known.limit and (is_over or item.to == 'scheduled') then
    let_go(others().leave_limit, known.limit, item.job_id)  -- those that wait for its place
  end
  if (is_over or item.event == 'repeat') and redis.call('EXISTS', dependents_key(item.job_id)) == 1 then
    let_go(others().tell_children, item.job_id, item.event == 'repeat' and 'finished' or item.to)
  end
end

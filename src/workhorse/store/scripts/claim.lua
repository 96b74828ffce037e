--! Take up to `count` jobs from queues in their order, and lease them to a worker.
--! keys: queue, lease, job
--! events: claim
--! args: worker, token, count, lease, whole_run, most_bytes, on_lost, max_starts, fields...
--! each: queue
--! include: _clock, _push, _set_aside, _vanished, _extras, _claim_again, _paused, _tally, _others
--! returns: a row for each job (queue, id, execution, its fields, its extras where it has any), then a row for each id
--!   that was dropped from a queue (queue, id, its state or ''), then 1 while work is suspended, or all these queues are
--!   paused, then a row for each that was set aside, or queue that can't be worked (queue, id or '', the reason)
if is_over() then
  return {jobs, dropped, 0, broken}
end
if is_suspended then
  return {jobs, dropped, 1, broken}
end

local stamp = text(now)
local lapses = score(now + lease)

-- A worker that can't extend a lease while a job runs takes one as long as the job's time limit,
-- and a minute for the kill; a day for a job without a limit.
local function lapse_of(timeout)
  local limit = tonumber(string.match(timeout or '', '^%-?%d+$')) or 180
  if limit + 60 < tonumber(lease) and limit >= 0 then return lapses end
  return score(now + (limit < 0 and 86400 or math.min(limit, 1e9) + 60))
end

local bytes, most, spare = 0, tonumber(count), 1000
local taken, at_hand = {}
local wanted = {unpack(fields)}
wanted[#wanted + 1] = 'status'

-- What the worker says of lost runs holds for jobs that say nothing themselves. It is kept with the job:
-- whoever recovers it may be another worker, on another machine.
local function stamp_policy(job, values)
  for name, value in pairs({on_lost = on_lost, max_starts = max_starts}) do
    if value ~= '' and not values[at[name]] then
      redis.call('HSET', job, name, value)
      values[at[name]] = value
    end
  end
end

local function take_one(queue)
  local id = redis.call('LPOP', queue_key(queue))
  if not id then return false end
  at_hand = id
  local job = job_key(id)
  local values = redis.pcall('HMGET', job, unpack(wanted))
  local status = table.remove(values)
  local to = status and after('claim', status)
  if to then
    local execution = execution_of(#jobs + 1)
    local lapse = whole_run == '1' and lapse_of(values[at.timeout]) or lapses
    local leased = redis.pcall('ZADD', lease_key(queue), lapse, id .. ':' .. execution)
    if type(leased) == 'table' then  -- the queue can't be worked, and must not be emptied
      redis.call('LPUSH', queue_key(queue), id)
      at_hand = nil
      error(leased.err, 0)
    end
    redis.call('HSET', job, 'status', to, 'started_at', stamp, 'worker_name', worker, 'execution_id', execution)
    redis.call('PERSIST', job)
    if on_lost ~= '' or max_starts ~= '' then stamp_policy(job, values) end
    bytes = bytes + #(values[1] or '')
    jobs[#jobs + 1] = {queue, id, execution, values, extras_of(id, values[at.extras], values[at.result_in])}
    taken[#taken + 1] = queue
    taken[#taken + 1] = id
    tally('claim', queue)
  else
    local problem = values.err or not status and oddity_of(id)
    if problem then
      set_aside(queue, id, problem)
    else
      if not status then note_vanished(id) end
      dropped[#dropped + 1] = {queue, id, status or ''}
      if not status then tally('expire', queue) end
      if not status then others().leave_limit(others().limit_of_expired(id), id) end
    end
  end
  return true
end

local function take_from(queue)
  local more = true
  while more and #jobs < most and #dropped + #broken < spare and bytes < tonumber(most_bytes) do
    more = take_one(queue)
    at_hand = nil
  end
  if redis.call('LLEN', queue_key(queue)) > 0 then
    ring(queue)
  end
end

local is_idle = 1
for item in items() do
  if not paused[item.queue] then
    is_idle = 0
    local fine, problem = pcall(take_from, item.queue)
    if not fine and at_hand then
      set_aside(item.queue, at_hand, problem)
    elseif not fine then
      note_broken(item.queue, '', problem)
    end
    at_hand = nil
  end
end
write_tallies()
redis.call('SET', claim_key(worker), token .. cjson.encode({taken, dropped}), 'EX', math.ceil(lease) + 60)
return {jobs, dropped, is_idle, broken}

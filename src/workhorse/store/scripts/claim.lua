--! Take up to `count` jobs from queues in their order, and lease them to a worker.
--! keys: queue, lease, job, claim, closed, suspended
--! events: claim
--! args: worker, token, count, lease, whole_run, most_bytes, on_lost, max_starts, fields...
--! each: queue
--! include: _clock, _push, _unheeded
--! returns: a row for each job (queue, id, execution, its fields), then a row for each id that was
--!   dropped from a queue (queue, id, its state or ''), then 1 while work is suspended, then a row for
--!   each job that asks for what we do not do yet (queue, id, the names of RQ's options)
-- Sent again with the same token (the reply was lost), it returns what it took the first time and
-- takes nothing; with a count of 0 it only does that, and no later sending takes anything. A worker has one claim on its way at a time.
local jobs, dropped = {}, {}
local closed_for = 600  -- seconds that a message may take to arrive

local function execution_of(number)
  return string.format('%s%08x', token, number)
end

-- `taken` is queue, id, queue, id ...; the number of a job gives its execution.
local function take_again(taken)
  for i = 1, #taken, 2 do
    local queue, id, execution = taken[i], taken[i + 1], execution_of((i + 1) / 2)
    if redis.call('ZSCORE', lease_key(queue), id .. ':' .. execution) then
      jobs[#jobs + 1] = {queue, id, execution, redis.call('HMGET', job_key(id), unpack(fields))}
    end
  end
end

local memo, closed = unpack(redis.call('MGET', claim_key(worker), closed_key(token)))
if memo and string.sub(memo, 1, #token) == token then
  take_again(cjson.decode(string.sub(memo, #token + 1)))
  return {jobs, dropped, 0, unheeded}
end
if tonumber(count) == 0 then
  redis.call('DEL', closed_key(token))  -- first: out of memory, a script must begin with a removal
  redis.call('SET', closed_key(token), 1, 'EX', closed_for)
end
if closed or tonumber(count) == 0 then
  return {jobs, dropped, 0, unheeded}
end
if redis.call('EXISTS', suspended_key()) == 1 then
  return {jobs, dropped, 1, unheeded}
end

local stamp = text(now)
local lapses = score(now + lease)

-- A worker that can't extend a lease while a job runs takes one as long as the job's time limit,
-- and a minute for the kill; a day for a job without a limit.
local function lapse_of(timeout)
  local limit = tonumber(timeout or '') or 180
  if limit + 60 < tonumber(lease) and limit >= 0 then return lapses end
  return score(now + (limit < 0 and 86400 or limit + 60))
end

local bytes, most, spare = 0, tonumber(count), 1000
local taken = {}
local wanted, at = {unpack(fields)}, {}
wanted[#wanted + 1] = 'status'
for i, name in ipairs(fields) do at[name] = i end

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
  local job = job_key(id)
  local values = redis.pcall('HMGET', job, unpack(wanted))  -- an error for a key that is no hash
  local status = table.remove(values)
  local to = status and after('claim', status)
  if to then
    local execution = execution_of(#jobs + 1)
    redis.call('HSET', job, 'status', to, 'started_at', stamp, 'worker_name', worker, 'execution_id', execution)
    redis.call('PERSIST', job)
    if on_lost ~= '' or max_starts ~= '' then stamp_policy(job, values) end
    local lapse = whole_run == '1' and lapse_of(values[at.timeout]) or lapses
    redis.call('ZADD', lease_key(queue), lapse, id .. ':' .. execution)
    bytes = bytes + #(values[1] or '')
    jobs[#jobs + 1] = {queue, id, execution, values}
    taken[#taken + 1] = queue
    taken[#taken + 1] = id
    if not values[at.result_in] then note_unheeded(queue, id) end
  else
    dropped[#dropped + 1] = {queue, id, status or ''}
  end
  return true
end

for item in items() do
  local more = true
  while more and #jobs < most and #dropped < spare and bytes < tonumber(most_bytes) do
    more = take_one(item.queue)
  end
  if redis.call('LLEN', queue_key(item.queue)) > 0 then
    ring(item.queue)
  end
end
if #taken > 0 then
  redis.call('SET', claim_key(worker), token .. cjson.encode(taken), 'EX', math.ceil(lease) + 60)
end
return {jobs, dropped, 0, unheeded}

--! Apply verdicts to executions whose lease has lapsed. One that was extended meanwhile is left alone.
--! keys: job, lease, queue, intermediate
--! events: recover
--! each: job_id, execution_id, queue, event, to, started_at, ended_at, ttl, due_in, at_front, follow
--! each: function_name, failure, fields..., entry...
--! include: _clock, _moment, _push, _end_execution, _heed_stop, _set_aside, _waiting, _tally, _others, _apply
--! returns: for each 'applied', or 'refused', or 'gone' if the job was deleted, or 'broken' if it could not be applied, or
--!   not in full; then a row for each of those, set aside (queue, id, the reason)
local replies = {}

-- Whether another execution has the job: RQ cancels and requeues without ending ours.
local function held_by_other(item, execution_id)
  if execution_id and execution_id ~= item.execution_id then
    local lapses = redis.call('ZSCORE', lease_key(item.queue), lease_member(item.job_id, execution_id))
    if lapses and tonumber(lapses) > now then return true end
  end
  return (lenient('ZCOUNT', executions_key(item.job_id), score(now), '+inf') or 0) > 0
end

-- A late settle is refused, not answered with 'already'; and nobody knows when the run ended.
local function mark_recovered(item, started_at, token)
  local job = job_key(item.job_id)
  if redis.call('EXISTS', job) == 0 then  -- a failure that is not kept
    redis.call('SET', tombstone_key(item.job_id), ':' .. token, 'EX', 60)
    return
  end
  redis.call('HSET', job, 'started_at', started_at)
  redis.call('HDEL', job, 'execution_id')
end

local function recover(item)
  local member = lease_member(item.job_id, item.execution_id)
  local lapses = redis.call('ZSCORE', lease_key(item.queue), member)
  if not lapses or tonumber(lapses) > now then
    return 'refused'
  end
  local known = redis.call('HMGET', job_key(item.job_id), 'status', 'worker_name', 'waiters', 'token', 'execution_id',
    'started_at', 'stop_requested', 'rate_limit_key', 'reported')
  end_execution(item.queue, item.job_id, item.execution_id, known[2] or '')
  lenient('ZREM', executions_key(item.job_id), item.execution_id)  -- its hash may have expired first
  if not known[1] then
    return 'gone'
  end
  if held_by_other(item, known[5]) then
    return 'refused'
  end
  heed_stop(item, known[7])
  if after(item.event, known[1], item.to) then
    item.started_at = math.min((moment_of(known[6]) or now) - now, 0)
    apply(item, known[2] or '', {waiters = known[3], token = known[4], limit = known[8],
      reported = known[9]}, 0)
    mark_recovered(item, known[6] or '', known[4] or '')
    return 'applied'
  end
  -- An RQ worker that died between its two steps of starting a job leaves it queued in no list, or in one of its own,
  -- where RQ's maintenance would find it later, and fail it.
  if known[1] == 'queued' and not redis.call('LPOS', queue_key(item.queue), item.job_id) then
    redis.call('LREM', intermediate_key(item.queue), 0, item.job_id)
    push(item.queue, item.job_id, true)
    tally('recover', item.queue)
    return 'applied'
  end
  return 'refused'
end

for item in items() do
  damage = nil
  local fine, reply = pcall(recover, item)
  if not fine or damage then
    take_lease(item.queue, item.job_id, item.execution_id)
    set_aside(item.queue, item.job_id, damage or reply)
    reply = 'broken'
  end
  replies[#replies + 1] = reply
end
write_tallies()
return with_broken(replies)

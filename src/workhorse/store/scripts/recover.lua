--! Apply verdicts to executions whose lease has lapsed. One that was extended meanwhile is left alone.
--! keys: job, lease, queue
--! events: recover
--! each: job_id, execution_id, queue, event, to, started_at, ended_at, ttl, due_in, at_front, fields..., entry...
--! include: _clock, _push, _end_execution, _apply
--! returns: for each 'applied', or 'refused', or 'gone' if the job was deleted
local replies = {}

local function recover(item)
  local lapses = redis.call('ZSCORE', lease_key(item.queue), item.job_id .. ':' .. item.execution_id)
  if not lapses or tonumber(lapses) > now then
    return 'refused'
  end
  local known = redis.call('HMGET', job_key(item.job_id), 'status', 'worker_name', 'waiters', 'token')
  end_execution(item.queue, item.job_id, item.execution_id, known[2] or '')
  if not known[1] then
    return 'gone'
  end
  if after('recover', known[1], item.to) then
    apply(item, known[2] or '', {waiters = known[3], token = known[4]}, 0)
    return 'applied'
  end
  -- An RQ worker that died between its two steps of starting a job leaves it queued in no list (rq3.md, L4).
  if known[1] == 'queued' and not redis.call('LPOS', queue_key(item.queue), item.job_id) then
    push(item.queue, item.job_id, true)
    return 'applied'
  end
  return 'refused'
end

for item in items() do
  replies[#replies + 1] = recover(item)
end
return replies

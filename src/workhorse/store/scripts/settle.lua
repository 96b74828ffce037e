--! Apply verdicts to executions of a worker; each is refused unless its lease is still held.
--! keys: job, worker
--! events: succeed, repeat, retry, fail, stop, recover
--! args: worker, sent_at
--! each: job_id, execution_id, queue, event, to, started_at, ended_at, ttl, due_in, at_front, follow
--! each: function_name, failure, fields..., entry...
--! include: _clock, _push, _end_execution, _heed_stop, _set_aside, _waiting, _tally, _others, _apply, _measure
--! returns: for each 'applied'; 'already' if an earlier sending did it; 'refused' if the lease is
--!   another's or nobody's; 'gone' if the job was deleted; 'broken' if it could not be applied, or not in full: then a row
--!   for each of those, set aside (queue, id, the reason)
local replies = {}
local succeeded, failed, seconds = 0, 0, 0

local function answer_late(item, status, execution_id)
  if not status then
    local tombstone = lenient('GET', tombstone_key(item.job_id)) or ''
    return string.match(tombstone, '^[^:]*') == item.execution_id and 'already' or 'gone'
  end
  return status == item.to and execution_id == item.execution_id and 'already' or 'refused'
end

local function settle(item)
  local known = redis.call('HMGET', job_key(item.job_id), 'status', 'execution_id', 'waiters', 'token', 'stop_requested',
    'rate_limit_key', 'reported')
  heed_stop(item, known[5])
  local legal = known[1] and after(item.event, known[1], item.to)
  if not end_execution(item.queue, item.job_id, item.execution_id, worker) then
    return answer_late(item, known[1], known[2])
  end
  if not known[1] then return 'gone' end
  -- RQ cancels and requeues without ending our lease: another may hold the job now.
  if not legal or known[2] ~= item.execution_id then return 'refused' end
  apply(item, worker, {waiters = known[3], token = known[4], limit = known[6], reported = known[7]}, sent_at)
  if item.to == 'finished' or item.event == 'repeat' then succeeded = succeeded + 1 else failed = failed + 1 end
  local took = item.ended_at - item.started_at
  seconds = seconds + took
  if item.function_name ~= '' then measure(item.function_name, took, item.to == 'failed') end
  return 'applied'
end

for item in items() do
  damage = nil
  local fine, reply = pcall(settle, item)
  if not fine or damage then
    take_lease(item.queue, item.job_id, item.execution_id)  -- first: out of memory, a script must begin with a removal
    set_aside(item.queue, item.job_id, damage or reply)
    reply = 'broken'
  end
  replies[#replies + 1] = reply
end
if succeeded + failed > 0 and redis.call('EXISTS', worker_key(worker)) == 1 then
  redis.pcall('HINCRBY', worker_key(worker), 'successful_job_count', succeeded)
  redis.pcall('HINCRBY', worker_key(worker), 'failed_job_count', failed)
  redis.pcall('HINCRBYFLOAT', worker_key(worker), 'total_working_time', string.format('%.6f', seconds))
end
write_tallies()
write_measured()
return with_broken(replies)

--! Ask for a running job to be ended; nothing but a requeue has it run again from now on.
--! keys: job, channel
--! events: stop
--! args: job_id, token, grace, only
--! include: _end_execution, _move
--! returns: the state it was in, or '' if there is no such job; its run was asked to end if the table allows it.
--!   Where `only` names a run, the job counts as none unless that is the one that holds it.
--!   Its worker is woken, ours or RQ's; ours also hears of it with its next extension
local job = job_key(job_id)
local known = known_fields(job_id, {'status', 'origin', 'worker_name', 'execution_id', 'moved_by'})
local before = answered_before(known, token)
if before then
  return before
end
if only ~= '' and known.execution_id ~= only then return '' end
if known.status and after('stop', known.status) then
  redis.call('HDEL', job, 'stop_grace')  -- first: out of memory, a script must begin with a removal
  local execution = known.execution_id or ''
  if execution ~= '' then  -- ours, also where the server forgot its lease: it may be put back
    redis.call('HSET', job, 'stop_requested', execution, 'stop_grace', grace)
  end
  note_move(job_id, token, known)
  tell_worker(known.worker_name, {command = 'stop-job', job_id = job_id})
end
return known.status or ''

--! Put ended jobs back on their queues, to run as if they were new. Their past runs stay in their results.
--! keys: queues
--! events: requeue
--! args: token, at_front, is_strict
--! each: job_id, within, states...
--! include: _clock, _push, _end_execution, _limit, _move_on, _move, _withdraw, _set_aside, _tally
--! keys: results, log
--! returns: for each the state it was in, or '' if there is no such job (or not in the queue `within`, where that is
--!   given); it was requeued if it was in one of the `states` and the table allows it. Then a row for each whose keys are
--!   of another kind (queue, '', the reason); an error, if `is_strict`
local replies = {}

local function requeue(item)
  local job_id = item.job_id
  local known = known_job(job_id)
  local before = answered_before(known, token)
  if before then return before end
  if item.within ~= '' and known.origin ~= item.within then return '' end
  local is_meant = false
  for _, state in ipairs(item.states) do is_meant = is_meant or known.status == state end
  if not is_meant or not after('requeue', known.status, after('enqueue', nil)) then return known.status or '' end
  withdraw(job_id, known)
  local job = job_key(job_id)
  redis.call('HDEL', job, 'scheduled_for', 'started_at', 'ended_at', 'execution_id', 'result', 'starts', 'redeliveries',
    'progress', 'cause', 'number_of_retries', 'stop_requested', 'stop_grace')
  note_move(job_id, token, known)
  redis.call('PERSIST', job)
  redis.call('PERSIST', results_key(job_id))
  redis.call('PERSIST', log_key(job_id))
  redis.call('SADD', queues_key(), queue_key(known.origin or ''))
  move_on(job_id, known.origin or '', at_front == '1', 'requeue', known.status)
  tally('requeue', known.origin or '')
  return known.status
end

for item in items() do
  local fine, reply = pcall(requeue, item)
  if not fine and is_strict == '1' then error(reply, 0) end
  if not fine then note_broken(item.within, '', reply) end
  replies[#replies + 1] = fine and reply or ''
end
write_tallies()
return with_broken(replies)

--! Put an ended job back on its queue, to run as if it were new. Its past runs stay in its results.
--! keys: queues
--! events: requeue
--! args: job_id, token, at_front, within, states...
--! include: _clock, _push, _end_execution, _limit, _move_on, _move, _withdraw, _tally
--! keys: results, log
--! returns: the state it was in, or '' if there is no such job (or not in the queue `within`, where that is given); it was
--!   requeued if it was in one of the `states` and the table allows it
local known = known_job(job_id)
local before = answered_before(known, token)
if before then
  return before
end
if within ~= '' and known.origin ~= within then
  return ''
end
local is_meant = false
for _, state in ipairs(states) do is_meant = is_meant or known.status == state end
if is_meant and after('requeue', known.status, after('enqueue', nil)) then
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
  write_tallies()
end
return known.status or ''

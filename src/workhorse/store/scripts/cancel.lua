--! Cancel a job that has not ended: it will not start, and a running execution may write nothing more.
--! keys: canceled
--! events: cancel
--! args: job_id, token, waiting_in, waiting_as, children
--! include: _clock, _push, _end_execution, _set_aside, _waiting, _limit, _move_on, _children, _telling
--! include: _move, _withdraw, _tally
--! returns: the state it was in, or '' if there is no such job; it was canceled if the table allows it.
--!   With `waiting_in` only a job that is `waiting_as` in that queue counts; with `children` 'run' those that wait for it
--!   go on as if it had finished. Then a row for each of them that was set aside (queue, id, the reason)
local known = known_job(job_id)
local before = answered_before(known, token)
if before then
  return {before}
end
local elsewhere = waiting_in ~= '' and (known.status ~= waiting_as or known.origin ~= waiting_in)
if elsewhere then
  return {''}
end
local to = known.status and after('cancel', known.status)
if to then
  withdraw(job_id, known, waiting_in ~= '' and 1)
  redis.call('HSET', job_key(job_id), 'status', to)
  redis.call('HDEL', job_key(job_id), 'execution_id')
  note_move(job_id, token, known)
  redis.call('PERSIST', job_key(job_id))  -- a ttl is for waiting; a canceled job stays, as in RQ
  redis.call('ZADD', canceled_key(known.origin or ''), score(now), job_id)
  tally('cancel', known.origin or '')
  write_tallies()  -- at once: sent again, this call is answered with what is noted above
  if known.waiters then
    tell_waiting(job_id, known.waiters)
  end
  leave_parents(job_id)
  tell_children(job_id, children == 'run' and 'finished' or to)
  write_tallies()
end
return with_broken({known.status or ''})

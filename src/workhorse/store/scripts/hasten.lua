--! Have a job run now that waits for its time, or for others: it waits for neither any more. Its rate limit holds.
--! keys: queue, scheduled
--! events: forward, promote
--! args: job_id, token
--! include: _clock, _push, _end_execution, _set_aside, _waiting, _limit, _move_on, _children, _telling, _move, _tally
--! returns: the state it was in, or '' if there is no such job; it was moved if it waited for its time or for others
local known = known_fields(job_id, {'status', 'origin', 'enqueue_at_front', 'rate_limit_key', 'moved_by'})
local before = answered_before(known, token)
if before then
  return before
end
local queue, to = known.origin or '', after('enqueue', nil)
local is_scheduled = after('forward', known.status, to)
if is_scheduled or after('promote', known.status, to) then
  redis.call('LLEN', queue_key(queue))  -- no list: let it wait where it is
  if known.rate_limit_key then check_limit(known.rate_limit_key) end
  lenient('ZREM', scheduled_key(queue), job_id)
  redis.call('HDEL', job_key(job_id), 'scheduled_for')
  note_move(job_id, token, known)
  if is_scheduled then
    move_on(job_id, queue, known.enqueue_at_front == '1', 'forward', known.status)
    tally('forward', queue)
  else
    leave_parents(job_id)
    promote(job_id, queue, known.status, known.enqueue_at_front == '1')
  end
  write_tallies()
end
return known.status or ''

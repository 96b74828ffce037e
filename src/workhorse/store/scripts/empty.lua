--! Take up to `limit` jobs off the front of a queue: delete them, or cancel those that are to be kept.
--! keys: queues, bell, results, log, dependencies, tombstone
--! events: cancel, release
--! args: queue, limit, keep, forget
--! include: _clock, _push, _end_execution, _set_aside, _waiting, _limit, _move_on, _children, _telling
--! include: _move, _withdraw, _tally
--! returns: how many were taken. Once none is left, a queue that is to be forgotten is, unless jobs of it run,
--!   are scheduled or wait for others: forward and recover look at known queues. Those that wait for what was taken are told by the script
--!   `promote`, or this one would take what is queued then
-- What waits for a place is not on the queue, and is admitted only once all that was there is taken.
local taken, freed = 0, {}
local function leave_later(key, id)
  if give_up_place(key, id) then freed[key] = true end
end

for _ = 1, tonumber(limit) do
  local id = redis.call('LPOP', queue_key(queue))
  if not id then
    for name in pairs(freed) do admit(name) end  -- those that earlier calls freed: the duty of that name
    if forget == '1' and redis.call('EXISTS', lease_key(queue), scheduled_key(queue), queue_key(queue),
      deferred_key(queue), ready_key(queue)) == 0 then
      redis.call('SREM', queues_key(), queue_key(queue))
      redis.call('DEL', bell_key(queue))
    end
    break
  end
  taken = taken + 1
  local known = known_job(id)
  local gone = not known.status and limit_of_expired(id)
  if gone then leave_later(gone, id) end
  local job = job_key(id)
  -- An id of a job that is elsewhere by now was a stale one.
  if known.status == after('release', 'started') then
    if known.waiters then
      tell_waiting(id, known.waiters)
    end
    leave_later(known.rate_limit_key, id)
    tally(keep == '1' and 'cancel' or 'delete', queue)
    if keep == '1' then
      redis.call('HSET', job, 'status', after('cancel', known.status))
      redis.call('ZADD', canceled_key(queue), score(now), id)
      tell_children_later(id, after('cancel', known.status))
    else
      tell_children_later(id, 'gone')
      redis.call('DEL', job, results_key(id), log_key(id), dependencies_key(id))
      redis.call('SET', tombstone_key(id), ':' .. (known.token or ''), 'EX', 60)
    end
  end
end
write_tallies()
return taken

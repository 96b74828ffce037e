--! Remove jobs and all that belongs to them. What runs them now may write nothing more.
--! keys: results, log, dependencies, ended, tombstone
--! events: delete
--! each: job_id, within, states...
--! include: _clock, _push, _end_execution, _set_aside, _waiting, _limit, _move_on, _children, _telling
--! include: _move, _withdraw, _tags, _tally
--! returns: for each the state it was in, or '' if there is no such job, or not in the queue `within` and one of the
--!   `states`, where those are given: it is left alone; then a row for each that waited for one and was set aside
--!   (queue, id, the reason)
local replies = {}

local function is_meant(item, known)
  local is_one = #item.states == 0
  for _, state in ipairs(item.states) do is_one = is_one or state == known.status end
  return is_one and (item.within == '' or item.within == known.origin)
end

local function delete(id, known, copies)
  if known.status and after('delete', known.status) then
    withdraw(id, known, copies)
    if known.waiters then
      tell_waiting(id, known.waiters)
    end
    tell_children(id, 'gone')
    if known.tags then leave_tags(known.tags, id) end
    tally('delete', known.origin or '')
  end
  leave_parents(id)
  redis.call('DEL', job_key(id), results_key(id), log_key(id), dependencies_key(id), executions_key(id))
  if known.status then
    redis.call('SET', tombstone_key(id), ':' .. (known.token or ''), 'EX', 60)
  end
end

for item in items() do
  local known = known_job(item.job_id)
  local meant = is_meant(item, known)
  if meant then delete(item.job_id, known, item.within ~= '' and 1) end
  replies[#replies + 1] = meant and known.status or ''
end
write_tallies()
return with_broken(replies)

--! Give jobs to another queue, those that wait and those that ended: each keeps its state, and in a registry its time.
--! keys: queues, queue, scheduled, deferred, ready, finished, failed, canceled, job
--! events: cancel, requeue, release
--! args: to, token, at_front
--! each: job_id, within, states...
--! include: _clock, _push, _lenient, _move, _set_aside, _tally
--! returns: for each the state it was in, '=' and that state where it was moved, or '' if there is no such job, or not in
--!   the queue `within` and one of the `states`, where those are given; then a row for each that was set aside
-- One that runs is fenced by the leases of its queue: it stays.
local replies = {}
local registries = {scheduled = scheduled_key, deferred = deferred_key, ready_to_enqueue = ready_key,
  finished = finished_key, failed = failed_key, stopped = failed_key, canceled = canceled_key}

local function is_meant(item, known)
  local is_one = #item.states == 0
  for _, state in ipairs(item.states) do is_one = is_one or state == known.status end
  return is_one and (item.within == '' or item.within == known.origin)
end

-- Take it out of its place, and put it into the same of the other queue; false if it is not there.
local function carry(job_id, status, from)
  if status == 'rate_limited' then return true end  -- it waits for a place, which is of no queue
  if status == after('release', 'started') then
    if redis.call('LREM', queue_key(from), 1, job_id) == 0 then return false end  -- an RQ worker is about to start it
    push(to, job_id, at_front == '1')
    return true
  end
  local registry = registries[status]
  local moment = registry and redis.call('ZSCORE', registry(from), job_id)
  if not moment then return false end
  redis.call('ZREM', registry(from), job_id)
  redis.call('ZADD', registry(to), moment, job_id)
  return true
end

local function check_places(status)
  redis.call('LLEN', queue_key(to))  -- where these are of another kind, nothing is changed
  if registries[status] then redis.call('ZCARD', registries[status](to)) end
end

local function move(item)
  local known = known_fields(item.job_id, {'status', 'origin', 'moved_by'})
  local before = answered_before(known, token)
  if before then return '=' .. before end
  local status, from = known.status, known.origin or ''
  if not status or not is_meant(item, known) then return '' end
  local goes_to_front = at_front == '1' and status == after('release', 'started')
  if from == to and not goes_to_front then return status end
  if not (after('requeue', status, 'queued') or after('cancel', status)) then return status end
  check_places(status)
  if not carry(item.job_id, status, from) then return status end
  redis.call('HSET', job_key(item.job_id), 'origin', to)
  note_move(item.job_id, token, known)
  lenient('SADD', queues_key(), queue_key(to))
  tally('move', from)
  return '=' .. status
end

for item in items() do
  local fine, reply = pcall(move, item)
  if not fine then note_broken(to, '', reply) end
  replies[#replies + 1] = fine and reply or ''
end
write_tallies()
return with_broken(replies)

--! keys: job, scheduled
--! events: enqueue, schedule, limit
-- Where a job goes that may run: to the schedule while its time is to come, else to those that wait for a place of its
-- limit, else to its queue. `event` and `was` are those of a job that was somewhere before; one that is forwarded is due,
-- whatever its hash says: somebody may have moved it in the schedule.
local function move_on(job_id, queue, at_front, event, was)
  local job = job_key(job_id)
  local known = redis.call('HMGET', job, 'scheduled_for', 'rate_limit_key', 'rate_limit_concurrency', 'ended_at')
  local due, limit = tonumber(known[1] or ''), known[2] or ''
  local to = after('enqueue', nil)
  if due and due > now and event ~= 'forward' then
    to = after('schedule', nil)
  elseif limit ~= '' then
    to = after('limit', nil)
  end
  if event and not after(event, was, to) then return nil end
  if to == after('schedule', nil) then
    redis.call('ZADD', scheduled_key(queue), score(due), job_id)
    redis.call('HSET', job, 'status', to)
    return to
  elseif to == after('limit', nil) then
    -- What a job that ran before says of its limit may be old by now: the newest producer's word holds.
    local is_new = event ~= 'requeue' and (known[4] or '') == ''
    wait_for_place(limit, known[3], job_id, at_front, to, is_new)
    return redis.call('HGET', job, 'status')
  end
  push(queue, job_id, at_front)  -- first: where the queue is no list, nothing is stored
  redis.call('HSET', job, 'status', to, 'enqueued_at', text(now))
  return to
end

--! Change when a job is due that waits for its time.
--! keys: job, scheduled
--! events: schedule
--! args: queue, job_id, due
--! include: _clock
--! returns: the state that it is in, or '' if there is no such job; its time was changed if it is scheduled there
local known = redis.call('HMGET', job_key(job_id), 'status', 'origin')
if known[1] == after('schedule', nil) and known[2] == queue then
  redis.call('HSET', job_key(job_id), 'scheduled_for', score(tonumber(due)))
  redis.call('ZADD', scheduled_key(queue), score(tonumber(due)), job_id)
end
return known[1] or ''

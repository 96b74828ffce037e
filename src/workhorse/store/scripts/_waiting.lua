--! keys: job, ended
-- Clients that wait for a job's end are told by a token each.
local most_waiters = 10000

local function tell_waiting(job_id, waiters)
  for _ = 1, math.min(tonumber(waiters) or 0, most_waiters) do
    redis.pcall('RPUSH', ended_key(job_id), 1)
  end
  redis.call('EXPIRE', ended_key(job_id), 60)
  redis.call('HDEL', job_key(job_id), 'waiters')
end

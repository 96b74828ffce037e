--! keys: job, queue, finished, failed, scheduled, results, ended, tombstone
-- Move a job to where a verdict sends it. Its execution was ended before. `sent_at` and the item's times
-- are of the sender's own clock, whatever its epoch: only their differences count.
local function keep_ended(registry, item, job)
  local ttl = tonumber(item.ttl)
  redis.call('ZADD', registry, ttl < 0 and (item.to == 'finished' and '+inf' or ttl) or score(now + ttl), item.job_id)
  if ttl >= 0 then
    redis.call('EXPIRE', job, item.ttl)
    redis.call('EXPIRE', results_key(item.job_id), item.ttl)
  end
end

local function tell_waiting(job_id, waiters)
  for _ = 1, waiters do
    redis.call('RPUSH', ended_key(job_id), 1)
  end
  redis.call('EXPIRE', ended_key(job_id), 60)
  redis.call('HDEL', job_key(job_id), 'waiters')
end

local function add_result(item, worker, began, ended)
  redis.call('XADD', results_key(item.job_id), 'MAXLEN', 10, '*', 'worker_name', worker,
    'execution_id', item.execution_id, 'execution_started_at', score(began),
    'execution_ended_at', score(ended), unpack(item.entry))
end

local function apply(item, worker, known, sent_at)
  local job = job_key(item.job_id)
  local waiters = tonumber(known.waiters or 0)
  local began, ended = now - (sent_at - item.started_at), now - (sent_at - item.ended_at)
  local is_over = item.to ~= 'queued' and item.to ~= 'scheduled'
  if is_over and tonumber(item.ttl) == 0 then
    redis.call('DEL', job, results_key(item.job_id))
    redis.call('SET', tombstone_key(item.job_id), item.execution_id .. ':' .. (known.token or ''), 'EX', 60)
  else
    redis.call('HSET', job, 'status', item.to, 'started_at', text(began), 'ended_at', text(ended),
      unpack(item.fields))
    if #item.entry > 0 then
      add_result(item, worker, began, ended)
    end
    if item.to == 'queued' then
      redis.call('HSET', job, 'enqueued_at', text(now))
      push(item.queue, item.job_id, item.at_front == '1')
      return
    elseif item.to == 'scheduled' then
      redis.call('ZADD', scheduled_key(item.queue), score(now + item.due_in), item.job_id)
      return
    end
    keep_ended(item.to == 'finished' and finished_key(item.queue) or failed_key(item.queue), item, job)
  end
  if waiters > 0 then
    tell_waiting(item.job_id, waiters)
  end
end

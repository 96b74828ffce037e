--! keys: job, queue, scheduled, deferred, ready, finished, failed, canceled, limited, lease, executions
-- Take a job out of every place it may be in, and fence out whoever runs it, our worker or RQ's.
local function withdraw(job_id, known)
  local queue, worker = known.origin or '', known.worker_name or ''
  if known.execution_id then
    end_execution(queue, job_id, known.execution_id, worker)
  end
  for _, execution in ipairs(lenient('ZRANGE', executions_key(job_id), 0, -1) or {}) do
    end_execution(queue, job_id, execution, worker)
  end
  lenient('LREM', queue_key(queue), 0, job_id)
  for _, registry in ipairs({scheduled_key, deferred_key, ready_key, finished_key, failed_key, canceled_key}) do
    lenient('ZREM', registry(queue), job_id)
  end
  if known.rate_limit_key then
    lenient('ZREM', limited_key(known.rate_limit_key), job_id)
  end
end

local function known_job(job_id)
  local names = {'status', 'origin', 'worker_name', 'execution_id', 'waiters', 'token', 'rate_limit_key'}
  local known = {}
  for i, value in ipairs(lenient('HMGET', job_key(job_id), unpack(names)) or {}) do
    known[names[i]] = value or nil
  end
  return known
end

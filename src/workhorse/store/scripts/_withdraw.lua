--! keys: job, queue, intermediate, scheduled, deferred, ready, finished, failed, canceled, lease, executions, failed_of
-- Take a job out of every place it may be in, and fence out whoever runs it, our worker or RQ's.
-- One that has ended is in no list: to look for it would take as long as its queue is. With `copies` 1 the search ends
-- where it is found; what is left over, there or here, is dropped by the claim that comes upon it.
local ended = {finished = true, failed = true, stopped = true, canceled = true}

local function withdraw(job_id, known, copies)
  local queue, worker = known.origin or '', known.worker_name or ''
  if known.execution_id and end_execution(queue, job_id, known.execution_id, worker) then
    tell_worker(worker, {command = 'extend'})  -- it hears at once that it lost its lease
  end
  for _, execution in ipairs(lenient('ZRANGE', executions_key(job_id), 0, -1) or {}) do
    end_execution(queue, job_id, execution, worker)
  end
  if not ended[known.status] then lenient('LREM', queue_key(queue), copies or 0, job_id) end
  lenient('LREM', intermediate_key(queue), 0, job_id)
  for _, registry in ipairs({scheduled_key, deferred_key, ready_key, finished_key, failed_key, canceled_key}) do
    lenient('ZREM', registry(queue), job_id)
  end
  if known.cause then lenient('ZREM', failed_of_key(known.cause), job_id) end
  leave_limit(known.rate_limit_key, job_id)
end

local function known_job(job_id)
  return known_fields(job_id, {'status', 'origin', 'worker_name', 'execution_id', 'waiters', 'token', 'rate_limit_key',
    'moved_by', 'cause', 'tags'})
end

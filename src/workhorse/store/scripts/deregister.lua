--! Take a worker that has ended off the list. Its counters are kept for a minute.
--! keys: workers, workers_of, worker, worker_executions, claim
--! args: worker
--! each: queue
--! include: _clock
--! returns: nothing
local key = worker_key(worker)
redis.pcall('SREM', workers_key(), key)
for item in items() do
  redis.pcall('SREM', workers_of_key(item.queue), key)
end
redis.call('DEL', worker_executions_key(worker), claim_key(worker))
if redis.call('EXISTS', key) == 1 then
  redis.pcall('HSET', key, 'death', text(now))
  redis.call('EXPIRE', key, 60)
end

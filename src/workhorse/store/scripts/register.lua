--! Show a worker to everybody for `ttl` more seconds. Repeated as its sign of life, so that a
--! worker is seen again after the server lost its data.
--! keys: workers, workers_of, worker, worker_executions
--! args: worker, ttl, fields...
--! each: queue
--! include: _clock
--! returns: 1 if it was not known
local key = worker_key(worker)
if type(redis.pcall('HDEL', key, 'death')) == 'table' then  -- first: out of memory, a script must begin with a removal
  redis.call('DEL', key)
end
local fresh = redis.call('HSETNX', key, 'birth', text(now))
redis.call('HSET', key, 'last_heartbeat', text(now), unpack(fields))
redis.call('EXPIRE', key, ttl)
redis.call('EXPIRE', worker_executions_key(worker), ttl)
redis.pcall('SADD', workers_key(), key)  -- a key of another kind only hides the worker
for item in items() do
  redis.pcall('SADD', workers_of_key(item.queue), key)
end
return fresh

--! Take an ended job off its registry. Its hash stays until it expires; one that never would gets an expiry.
--! keys: finished, failed, canceled, job
--! events: requeue
--! args: registry, queue, job_id, longest
--! returns: 1 once it is off, 0 if it was not listed there
local registries = {finished = finished_key, failed = failed_key, canceled = canceled_key}
if redis.call('ZREM', registries[registry](queue), job_id) == 0 then
  return 0
end
local state = redis.call('HGET', job_key(job_id), 'status')
if state and after('requeue', state, 'queued') and redis.call('TTL', job_key(job_id)) == -1 then
  redis.call('EXPIRE', job_key(job_id), longest)
end
return 1

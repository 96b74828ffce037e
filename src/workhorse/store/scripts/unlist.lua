--! Take an ended job off its registry. Its hash stays until it expires; one that never would gets an expiry.
--! keys: finished, failed, canceled, job, failed_of
--! events: requeue
--! args: registry, queue, job_id, longest, token
--! include: _end_execution, _move
--! returns: 1 once it is off, by this call or an earlier sending of it; 0 if it was not listed there
local registries = {finished = finished_key, failed = failed_key, canceled = canceled_key}
local was_listed = redis.call('ZREM', registries[registry](queue), job_id) == 1
local known = known_fields(job_id, {'status', 'moved_by', 'cause'})
if not was_listed then
  return answered_before(known, token) and 1 or 0
end
if known.status and after('requeue', known.status, 'queued') then
  if known.cause then lenient('ZREM', failed_of_key(known.cause), job_id) end
  note_move(job_id, token, known)
  if redis.call('TTL', job_key(job_id)) == -1 then
    redis.call('EXPIRE', job_key(job_id), longest)
  end
end
return 1

--! Store a new job as started, for a queue that runs its jobs itself (is_async=False).
--! keys: job, lease
--! events: start
--! args: worker, lease, unique
--! each: job_id, token, queue, execution_id, group, tags, fields...
--! include: _clock, _make_room, _group, _tags
--! returns: the server's time as text; then for each job '' or a state, as enqueue
local stamp = text(now)
local replies = {stamp}
for item in items() do
  local refused = make_room(item, 'start', unique == '1')
  if not refused then
    if item.group ~= '' then join_group(item.group, item.job_id) end
    if item.tags ~= '' then note_tags(item.tags, item.job_id) end
    redis.call('HSET', job_key(item.job_id), 'status', after('start', nil), 'enqueued_at', stamp,
      'started_at', stamp, 'worker_name', worker, 'execution_id', item.execution_id,
      unpack(item.fields))
    redis.call('ZADD', lease_key(item.queue), score(now + lease), item.job_id .. ':' .. item.execution_id)
  end
  replies[#replies + 1] = refused ~= 'again' and refused or ''
end
return replies

--! Store new jobs and put them on their queues, each once however often the call is sent.
--! keys: job
--! events: enqueue
--! each: job_id, token, queue, at_front, ttl, fields...
--! include: _clock, _push, _make_room
--! returns: the server's time as text; then for each job '' once it is stored, 'again' where an
--!   earlier sending of this call stored it, or the state of another job that has its id
local stamp = text(now)
local replies = {stamp}
for item in items() do
  local refused = make_room(item, 'enqueue')
  if not refused then
    local job = job_key(item.job_id)
    push(item.queue, item.job_id, item.at_front == '1')  -- first: where the queue is no list, nothing is stored
    redis.call('HSET', job, 'status', after('enqueue', nil), 'enqueued_at', stamp, unpack(item.fields))
    if tonumber(item.ttl) > 0 then
      redis.call('EXPIRE', job, item.ttl)
    end
  end
  replies[#replies + 1] = refused or ''
end
return replies

--! Ask to be told when a job ends: a token on its `ended` list.
--! keys: job
--! args: job_id, ends...
--! returns: its state; '' if there is no such job. Nothing is sent for a state among `ends`
local status = redis.call('HGET', job_key(job_id), 'status')
if not status then
  return ''
end
for _, state in ipairs(ends) do
  if state == status then return status end
end
redis.call('HINCRBY', job_key(job_id), 'waiters', 1)
return status

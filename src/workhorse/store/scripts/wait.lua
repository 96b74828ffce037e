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
if type(redis.pcall('HINCRBY', job_key(job_id), 'waiters', 1)) == 'table' then  -- it holds no number
  redis.call('HSET', job_key(job_id), 'waiters', 1)
end
return status

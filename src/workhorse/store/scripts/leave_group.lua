--! Take a job off its group; the job itself goes on.
--! keys: groups, group, job
--! args: group, job_id
--! returns: 1 if it was a member, else 0
local was = redis.call('SREM', group_key(group), job_id)
if redis.call('HGET', job_key(job_id), 'group_id') == group then
  redis.call('HDEL', job_key(job_id), 'group_id')
end
if redis.call('EXISTS', group_key(group)) == 0 then
  redis.call('SREM', groups_key(), group)
end
return was

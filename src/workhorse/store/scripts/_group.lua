--! keys: groups, group
-- Make a new job one of a group. Before its hash is there: where a key is of another kind, nothing is stored.
local function join_group(name, job_id)
  redis.call('SADD', group_key(name), job_id)
  redis.call('SADD', groups_key(), name)
end

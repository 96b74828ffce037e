--! keys: job, dependents, dependencies, deferred
--! events: defer
-- A new job that is to wait for others.
-- Whether those that a new job is to wait for wait for it. Only one whose id was used before can be waited for.
local function is_awaited_by(job_id, parents)
  local seen, found = {}, {unpack(parents)}
  local has_children = redis.call('EXISTS', dependents_key(job_id)) == 1
  for _, parent in ipairs(found) do
    if parent == job_id then return true end
    if has_children and not seen[parent] and #found < 10000 then
      seen[parent] = true
      for _, above in ipairs(redis.call('SMEMBERS', dependencies_key(parent))) do found[#found + 1] = above end
    end
  end
  return false
end

-- Have a new job wait for those that have not finished; its state, or nil if it need not wait.
local function defer(job_id, queue, parents)
  local job = job_key(job_id)
  local rule = rule_of(unpack(redis.call('HMGET', job, 'on_parent_failure', 'allow_dependency_failures')))
  local waits, hopeless = false, false
  for _, parent in ipairs(parents) do
    local state = redis.call('HGET', job_key(parent), 'status')
    if state and not is_met(state, rule) then
      waits, hopeless = true, hopeless or is_hopeless(state, rule)
      redis.call('SADD', dependents_key(parent), job_id)
      redis.call('SADD', dependencies_key(job_id), parent)
    end
  end
  if not waits then return nil end
  redis.call('ZADD', deferred_key(queue), score(now), job_id)
  local state = after('defer', nil)
  redis.call('HSET', job, 'status', state)
  if hopeless then
    cancel_child(job_id, queue, state)
    return after('cancel', state)
  end
  return state
end

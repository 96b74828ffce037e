--! keys: job, dependents, dependencies, deferred
--! events: defer
-- A new job that is to wait for others.
local most_seen = 10000

-- Whether those that it is to wait for wait for it. Only one whose id was used before can be waited for.
local function is_awaited_by(job_id, parents)
  local has_children = redis.call('EXISTS', dependents_key(job_id)) == 1
  local seen, found = {}, {}
  for _, parent in ipairs(parents) do
    if parent == job_id then return true end
    if has_children then found[#found + 1] = parent end
  end
  for _, parent in ipairs(found) do
    if parent == job_id then return true end
    if not seen[parent] and #found < most_seen then
      seen[parent] = true
      for _, above in ipairs(lenient('SMEMBERS', dependencies_key(parent)) or {}) do found[#found + 1] = above end
    end
  end
  return false
end

-- A set of edges that is of another kind holds none: it is made anew.
local function add_edge(key, member)
  if lenient('SADD', key, member) == nil then
    redis.call('DEL', key)
    redis.call('SADD', key, member)
  end
end

-- Have it wait for those that have not finished; its state, or nil if it need not wait.
local function defer(job_id, queue, parents)
  local job = job_key(job_id)
  local rule = rule_of(unpack(redis.call('HMGET', job, 'on_parent_failure', 'allow_dependency_failures')))
  local waits, is_hopeless = false, false
  for _, parent in ipairs(parents) do
    local state = lenient('HGET', job_key(parent), 'status')
    if state and not is_met(state, rule) then
      waits, is_hopeless = true, is_hopeless or rule == 'cancel' and has_failed(state)
      add_edge(dependents_key(parent), job_id)
      add_edge(dependencies_key(job_id), parent)
    end
  end
  if not waits then return nil end
  local state = after('defer', nil)
  redis.call('ZADD', deferred_key(queue), score(now), job_id)
  redis.call('HSET', job, 'status', state)
  if is_hopeless then
    cancel_child(job_id, queue, state)
    return after('cancel', state)
  end
  return state
end

--! keys: job, dependents, dependencies, deferred, ready, canceled, promoting
--! events: promote, cancel, requeue, enqueue
--! include: _tally
-- Jobs that wait for others. A child's set `dependencies` holds the parents whose end it was not told yet; each is taken
-- out once, so that the work grows with the edges. What is too much for one call stands in `promoting`, a place in each
-- parent's set `dependents`, where the script `promote` goes on. A parent without a hash is 'gone' for those that are
-- still in its set, and was done long ago for others.
local edges = 200
local tell_children

local function rule_of(on_parent_failure, allow_failure)
  if on_parent_failure == 'cancel' or on_parent_failure == 'run' then return on_parent_failure end
  return allow_failure == '1' and 'run' or 'wait'
end

local function has_failed(state)
  return state == 'gone' or state ~= 'finished' and after('requeue', state, after('enqueue', nil)) ~= nil
end

local function is_met(state, rule)
  return state == 'finished' or rule == 'run' and has_failed(state)
end

local function state_of(parent, child)
  local state = lenient('HGET', job_key(parent), 'status')
  if state then return state end
  return lenient('SISMEMBER', dependents_key(parent), child) == 1 and 'gone' or nil
end

local function leave(child, parent)
  lenient('SREM', dependents_key(parent), child)
  lenient('SREM', dependencies_key(child), parent)
end

local function leave_parents(child)
  for _, parent in ipairs(lenient('SMEMBERS', dependencies_key(child)) or {}) do leave(child, parent) end
  redis.call('DEL', dependencies_key(child))
end

-- RQ registers a job with one parent after the other, and a set may be of another kind: then the list in the hash says
-- what it waits for, but for the parent that is just being told of.
local function waits_by_its_list(child, rule, told)
  local fine, parents = pcall(cjson.decode, lenient('HGET', job_key(child), 'dependency_ids') or '[]')
  for _, parent in ipairs(fine and type(parents) == 'table' and parents or {}) do
    edges = edges - 1
    local state = parent ~= told and type(parent) == 'string' and state_of(parent, child)
    if state and not is_met(state, rule) then return true end
  end
  return false
end

local function has_none_left(child, rule, is_of_rq, told)
  while true do
    local parent = lenient('SRANDMEMBER', dependencies_key(child))
    if not parent then
      local is_certain = parent == false and not is_of_rq
      return is_certain or not waits_by_its_list(child, rule, told)
    end
    local state = state_of(parent, child)
    if state and not is_met(state, rule) then return false end
    leave(child, parent)
    edges = edges - 1
  end
end

local function cancel_child(child, queue, status)
  lenient('ZREM', deferred_key(queue), child)
  lenient('ZREM', ready_key(queue), child)
  leave_parents(child)
  redis.call('HSET', job_key(child), 'status', after('cancel', status))
  redis.call('PERSIST', job_key(child))
  redis.call('ZADD', canceled_key(queue), score(now), child)
  tally('cancel', queue)
  local waiters = redis.call('HGET', job_key(child), 'waiters')
  if waiters then tell_waiting(child, waiters) end
  tell_children(child, after('cancel', status))
end

local function promote(child, queue, status, at_front)
  lenient('ZREM', deferred_key(queue), child)
  lenient('ZREM', ready_key(queue), child)
  redis.call('DEL', dependencies_key(child))
  move_on(child, queue, at_front, 'promote', status)
end

-- What is known of a child; nothing if it does not wait.
local function known_child(child)
  local known = lenient('HMGET', job_key(child), 'status', 'origin', 'on_parent_failure', 'allow_dependency_failures',
    'enqueue_at_front', 'last_heartbeat') or {}
  if not known[1] or not after('promote', known[1], after('enqueue', nil)) then return nil end
  -- RQ's client writes the last field, empty, into each job.
  return {status = known[1], queue = known[2] or '', rule = rule_of(known[3], known[4]), at_front = known[5] == '1',
    is_of_rq = known[6]}
end

local function consider(parent, state, child)
  local known = known_child(child)
  if not known then
    redis.call('SREM', dependents_key(parent), child)
  elseif is_met(state, known.rule) then
    leave(child, parent)
    if has_none_left(child, known.rule, known.is_of_rq, parent) then
      promote(child, known.queue, known.status, known.at_front)
    end
  elseif known.rule == 'cancel' and has_failed(state) then
    redis.call('SREM', dependents_key(parent), child)
    cancel_child(child, known.queue, known.status)
  end
end

--! keys: job, dependents, dependencies, deferred, ready, canceled, promoting
--! events: promote, cancel, requeue, enqueue
-- Jobs that wait for others. A child's set of parents holds those whose end it was not yet told: each is taken out
-- once, so that the work grows with the edges. What is too much for one call stands in `promoting`, where the script
-- `promote` goes on.
local edges = 200
local tell_children

local function rule_of(on_parent_failure, allow_failure)
  if on_parent_failure == 'cancel' or on_parent_failure == 'run' then return on_parent_failure end
  return allow_failure == '1' and 'run' or 'wait'
end

-- `state` is a parent's; 'gone' where it was deleted or has expired.
local function is_met(state, rule)
  if state == 'finished' then return true end
  return rule == 'run' and (state == 'gone' or after('requeue', state, after('enqueue', nil)) ~= nil)
end

local function is_hopeless(state, rule)
  return rule == 'cancel' and (state == 'gone' or after('requeue', state, after('enqueue', nil)) ~= nil)
end

-- Whether nothing is left to wait for. One whose hash is gone counts as done, as in RQ: it may have finished long ago.
local function has_none_left(child, rule)
  while true do
    local parent = redis.call('SRANDMEMBER', dependencies_key(child))
    if not parent then return true end
    local state = redis.call('HGET', job_key(parent), 'status')
    if state and not is_met(state, rule) then return false end
    redis.call('SREM', dependencies_key(child), parent)
  end
end

local function cancel_child(child, queue, status)
  redis.call('ZREM', deferred_key(queue), child)
  redis.call('ZREM', ready_key(queue), child)
  redis.call('HSET', job_key(child), 'status', after('cancel', status))
  redis.call('PERSIST', job_key(child))
  redis.call('ZADD', canceled_key(queue), score(now), child)
  local waiters = redis.call('HGET', job_key(child), 'waiters')
  if waiters then tell_waiting(child, waiters) end
  tell_children(child, after('cancel', status))
end

local function promote(child, queue, status, at_front)
  redis.call('ZREM', deferred_key(queue), child)
  redis.call('ZREM', ready_key(queue), child)
  redis.call('DEL', dependencies_key(child))
  move_on(child, queue, at_front, 'promote', status)
end

local function consider(parent, state, child)
  edges = edges - 1
  local known = redis.call('HMGET', job_key(child), 'status', 'origin', 'on_parent_failure', 'allow_dependency_failures',
    'enqueue_at_front')
  local status, queue, rule = known[1], known[2] or '', rule_of(known[3], known[4])
  if not status or not after('promote', status, after('enqueue', nil)) then
    redis.call('SREM', dependents_key(parent), child)  -- it does not wait any more
  elseif is_met(state, rule) then
    redis.call('SREM', dependents_key(parent), child)
    redis.call('SREM', dependencies_key(child), parent)
    if has_none_left(child, rule) then promote(child, queue, status, known[5] == '1') end
  elseif is_hopeless(state, rule) then
    redis.call('SREM', dependents_key(parent), child)
    cancel_child(child, queue, status)
  end
end

-- Look at a page of a parent's children; true once all of them were.
local function walk(parent, state, cursor)
  local page = redis.call('SSCAN', dependents_key(parent), cursor, 'COUNT', 50)
  for _, child in ipairs(page[2]) do consider(parent, state, child) end
  if page[1] ~= '0' then
    redis.call('HSET', promoting_key(), parent, page[1] .. ':' .. state)
    return false
  end
  redis.call('HDEL', promoting_key(), parent)
  if state == 'gone' then redis.call('DEL', dependents_key(parent)) end
  return true
end

-- A parent has ended in this state.
function tell_children(parent, state)
  if (lenient('SCARD', dependents_key(parent)) or 0) == 0 then return end
  local cursor, done = '0', false
  redis.call('HSET', promoting_key(), parent, '0:' .. state)
  while edges > 0 and not done do
    done = walk(parent, state, cursor)
    cursor = not done and string.match(redis.call('HGET', promoting_key(), parent), '^%d+')
  end
end

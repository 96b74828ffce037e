--! Look again at jobs that wait for others: they may never have been told, or have expired.
--! keys: promoting
--! events: defer
--! each: queue, job_id
--! include: _clock, _push, _end_execution, _set_aside, _waiting, _limit, _move_on, _children, _telling
--! returns: how many were looked at, for the work of one call is bounded; then the ids that were promoted, canceled or
--!   forgotten; then a row for each that was set aside (queue, id, the reason)
-- Our scripts tell each child in the step in which its parent ends. RQ's take several steps, and die in between.
local looked, changed = 0, {}

local function forget(queue, id)
  lenient('ZREM', deferred_key(queue), id)
  lenient('ZREM', ready_key(queue), id)
  if redis.call('EXISTS', job_key(id)) == 0 then
    leave_parents(id)
    tell_children(id, 'gone')
  end
end

-- Whether it waits on: for a parent that has not ended, or that is just telling its children.
local function waits(id, known)
  local left = false
  for _, parent in ipairs(lenient('SMEMBERS', dependencies_key(id)) or {}) do
    edges = edges - 1
    local state = state_of(parent, id)
    if not state or is_met(state, known.rule) then
      leave(id, parent)
    elseif lenient('HEXISTS', promoting_key(), parent) == 1 or known.rule ~= 'cancel' or not has_failed(state) then
      left = true
    else
      return 'in vain'
    end
  end
  return left or not has_none_left(id, known.rule, known.is_of_rq)
end

local function reconsider(queue, id)
  local known = known_child(id)
  if not known or known.queue ~= queue then
    forget(queue, id)
    return true
  end
  local how = known.status == after('defer', nil) and waits(id, known)
  if how == 'in vain' then
    cancel_child(id, queue, known.status)
  elseif not how then
    promote(id, queue, known.status, known.at_front)
  end
  return how ~= true
end

for item in items() do
  if edges <= 0 then break end
  edges = edges - 1
  looked = looked + 1
  local fine, reply = pcall(reconsider, item.queue, item.job_id)
  if not fine then set_aside(item.queue, item.job_id, reply) end
  if not fine or reply then changed[#changed + 1] = item.job_id end
end
write_tallies()
return with_broken({looked, unpack(changed)})

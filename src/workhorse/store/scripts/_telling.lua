--! keys: job, dependents, promoting
-- Parents tell their children how they ended: those of one call one after the other, at most so many edges in all.
local todo, is_at_work = {}, false

local function tell_page(one)
  local page = redis.call('SSCAN', dependents_key(one.parent), one.cursor, 'COUNT', 50)
  for _, child in ipairs(page[2]) do
    edges = edges - 1
    local fine, problem = pcall(consider, one.parent, one.state, child)
    if not fine then
      redis.call('SREM', dependents_key(one.parent), child)
      set_aside(lenient('HGET', job_key(child), 'origin') or '', child, problem)
    end
  end
  one.cursor = page[1]
end

-- A success is told to the end, though the parent may run again and fail meanwhile.
local function keep_for_later(one)
  local known = lenient('HGET', promoting_key(), one.parent)
  if known == nil then redis.call('DEL', promoting_key()) end
  if one.state == 'finished' or not known or not string.find(known, ':finished$') then
    redis.call('HSET', promoting_key(), one.parent, one.cursor .. ':' .. one.state)
  end
end

local function tell_all()
  while #todo > 0 and edges > 0 do
    tell_page(todo[1])
    if todo[1].cursor == '0' then table.remove(todo, 1) end
  end
end

local function go_on_telling(parent, state, cursor)
  todo[#todo + 1] = {parent = parent, state = state, cursor = cursor}
  if is_at_work then return end
  is_at_work = true
  local fine, problem = pcall(tell_all)
  for _, one in ipairs(todo) do keep_for_later(one) end
  todo, is_at_work = {}, false
  if not fine then error(problem, 0) end
end

-- A parent has ended in this state, or is 'gone': it was deleted, or has expired.
function tell_children(parent, state)
  if (lenient('SCARD', dependents_key(parent)) or 0) > 0 then go_on_telling(parent, state, '0') end
end

local function tell_children_later(parent, state)
  if redis.call('EXISTS', dependents_key(parent)) == 1 then
    keep_for_later({parent = parent, state = state, cursor = '0'})
  end
end

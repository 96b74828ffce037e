--! Free the places of limits that no job needs any more, and give free ones to those that wait. A page of each.
--! keys: job, executions
--! events: claim, release
--! args: page
--! each: name, cursor, waiters_cursor
--! include: _clock, _end_execution, _push, _limit
--! returns: a row for each: the cursors of its next page of places, and of those that wait ('0' after the last), how
--!   many places were freed, how many jobs admitted, and why its keys can't be worked, or ''
-- Jobs that expired while they were queued, and those that RQ 2 ran, which knows no limits, have a place until now.
local function needs_place(name, id)
  local known = lenient('HMGET', job_key(id), 'status', 'rate_limit_key') or {}
  local status = known[1]
  if status and (after('claim', status) or after('release', status)) and known[2] == name then return true end
  -- RQ's cancel and delete let a run go on, in its place.
  return (lenient('ZCOUNT', executions_key(id), score(now), '+inf') or 0) > 0
end

local function waits(name, id)
  local known = lenient('HMGET', job_key(id), 'status', 'rate_limit_key') or {}
  return known[1] and after('admit', known[1]) and known[2] == name
end

-- Remove those of a page that are here without need; the cursor of the next page, and how many they were.
local function clear(key, cursor, is_needed, name)
  local found, removed = redis.call('ZSCAN', key, cursor, 'COUNT', page), 0
  for at = 1, #found[2], 2 do
    local id = found[2][at]
    if not is_needed(name, id) then
      removed = removed + redis.call('ZREM', key, id)
      if redis.call('EXISTS', job_key(id)) == 0 then note_vanished(id) end
    end
  end
  return found[1], removed
end

local function sweep(item)
  check_limit(item.name)
  local cursor, freed = clear(allowed_key(item.name), item.cursor, needs_place, item.name)
  local waiters_cursor = clear(limited_key(item.name), item.waiters_cursor, waits, item.name)
  return {cursor, waiters_cursor, freed, admit(item.name), ''}
end

local replies = {}
for item in items() do
  local fine, reply = pcall(sweep, item)
  if not fine then
    local problem = type(reply) == 'table' and reply.err or tostring(reply)
    if not string.find(problem, 'WRONGTYPE', 1, true) then error(problem, 0) end
    reply = {'0', '0', 0, 0, problem}
  end
  replies[#replies + 1] = reply
end
return replies

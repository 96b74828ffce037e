--! Look at jobs, and say which live ones seem to be in no place. Changes nothing.
--! keys: queues, queue, job, scheduled
--! events: reconcile
--! each: job_id
--! include: _clock, _push, _end_execution, _limit, _places
--! returns: how many were looked at, for the first ends of few queues' lists are read in one call; the queues of live
--!   jobs that are not listed, with a job each; and a row for each job: id, state, execution, when queued, queue
-- A list is never searched for a job: who is older than all at the front of it, and is not there, is worth a search.
local looked, heads_read, most_heads, front = 0, 0, 10, 100
local heads, unlisted, rows = {}, {}, {}
local listed = {}

local function read_head(queue)
  local ids = lenient('LRANGE', queue_key(queue), 0, front - 1)
  local head = {is_list = ids ~= nil, ids = ids or {}, has = {}}
  for _, id in ipairs(head.ids) do head.has[id] = true end
  heads_read = heads_read + 1
  heads[queue] = head
  return head
end

local function oldest_of(head)
  if head.oldest == nil then
    head.oldest = false
    for _, id in ipairs(head.ids) do
      local stamp = lenient('HGET', job_key(id), 'enqueued_at')
      if stamp and (not head.oldest or stamp < head.oldest) then head.oldest = stamp end
    end
  end
  return head.oldest
end

local function seems_unqueued(queue, id, enqueued_at)
  local head = heads[queue] or read_head(queue)
  if not head.is_list or head.has[id] then return false end
  if #head.ids < front then return true end  -- that is all of it
  local oldest = oldest_of(head)
  return oldest and enqueued_at < oldest
end

local function note_unlisted(queue, id)
  if listed[queue] == nil then
    listed[queue] = lenient('SISMEMBER', queues_key(), queue_key(queue)) ~= 0
    if not listed[queue] then unlisted[#unlisted + 1] = {queue, id} end
  end
end

local function look(id)
  local known = lenient('HMGET', job_key(id), 'status', 'origin', 'execution_id', 'enqueued_at', 'rate_limit_key') or {}
  local status, queue = known[1], known[2]
  if not status or not queue or queue == '' or not after('reconcile', status) then return end
  note_unlisted(queue, id)
  local execution, stamp = known[3] or '', known[4] or ''
  local seems_lost
  if status == 'queued' then
    seems_lost = seems_unqueued(queue, id, stamp)
  elseif status == 'rate_limited' then
    seems_lost = not waits_for_place(known[5], id)
  else
    seems_lost = status ~= 'scheduled' or not lenient('ZSCORE', scheduled_key(queue), id)
  end
  if seems_lost and not is_held(queue, id, execution) then
    rows[#rows + 1] = {id, status, execution, stamp, queue}
  end
end

for item in items() do
  if heads_read >= most_heads then break end
  look(item.job_id)
  looked = looked + 1
end
return {looked, unlisted, rows}

--! Put live jobs that are in no place back where their state says, each only if it is as it was seen.
--! keys: queue, intermediate, broken, lease, job, scheduled, deferred, ready, finished, failed, canceled
--! events: reconcile
--! args: most
--! each: job_id, status, execution_id, enqueued_at, queue
--! include: _clock, _push, _end_execution, _limit, _places
--! returns: for each 'applied'; 'found' if it is in its queue's list, 'refused' if it is in another place or has changed;
--!   'later' if the list was too long to be searched too: `most` entries in all, but always one list
-- A queued job goes to the front of its queue, one that waits for a place to the front of those that do, a scheduled one
-- is due when its hash says, else now; a started one gets a lease that has lapsed: it is then judged as lost.
local replies, searched = {}, 0

local function is_as_seen(item)
  local known = lenient('HMGET', job_key(item.job_id), 'status', 'origin', 'execution_id', 'enqueued_at')
  return known and known[1] == item.status and known[2] == item.queue and (known[3] or '') == item.execution_id
    and (known[4] or '') == item.enqueued_at
end

-- What RQ's worker was about to start stays in a list of its own when that worker dies, and a job that comes back
-- is in no registry of another state. The first write is a removal, for a server that is out of memory.
local function clear_places(item)
  for _, registry in ipairs({scheduled_key, deferred_key, ready_key, finished_key, failed_key, canceled_key}) do
    lenient('ZREM', registry(item.queue), item.job_id)
  end
  lenient('LREM', intermediate_key(item.queue), 0, item.job_id)
end

local function add(key, item, member, moment)
  if lenient('ZSCORE', key, member) then return 'refused' end
  clear_places(item)
  local reply = redis.pcall('ZADD', key, score(moment or now), member)
  return type(reply) == 'number' and 'applied' or 'refused'
end

local function queue_again(item)
  local key = queue_key(item.queue)
  local length = lenient('LLEN', key)
  if not length then return 'refused' end
  if searched > 0 and searched + length > tonumber(most) then return 'later' end
  searched = searched + length
  if lenient('LPOS', key, item.job_id) then return 'found' end
  -- What a claim could not handle is for people to look at: it would be set aside again.
  if lenient('LPOS', broken_key(item.queue), item.job_id) then return 'refused' end
  clear_places(item)
  push(item.queue, item.job_id, true)
  return 'applied'
end

local function wait_again(item)
  local known = lenient('HMGET', job_key(item.job_id), 'rate_limit_key', 'rate_limit_concurrency')
  local name = known[1] or ''
  if name == '' or waits_for_place(name, item.job_id) or not pcall(check_limit, name) then return 'refused' end
  clear_places(item)
  local first = redis.call('ZRANGE', limited_key(name), 0, 0, 'WITHSCORES')[2]
  redis.call('ZADD', limited_key(name), score(math.min(now, (tonumber(first or '') or now) - 1)), item.job_id)
  redis.call('HSETNX', limit_key(name), 'concurrency', tonumber(known[2] or '') or 1)
  lenient('SADD', limits_key(), name)  -- the next sweep admits it
  return 'applied'
end

local function reconcile(item)
  if not after('reconcile', item.status) or not is_as_seen(item) then return 'refused' end
  if is_held(item.queue, item.job_id, item.execution_id) then return 'refused' end
  if item.status == 'queued' then return queue_again(item) end
  if item.status == 'rate_limited' then return wait_again(item) end
  if item.status == 'scheduled' then
    local due = tonumber(redis.call('HGET', job_key(item.job_id), 'scheduled_for') or '')
    return add(scheduled_key(item.queue), item, item.job_id, due)
  end
  return add(lease_key(item.queue), item, lease_member(item.job_id, item.execution_id))
end

for item in items() do
  replies[#replies + 1] = reconcile(item)
end
return replies

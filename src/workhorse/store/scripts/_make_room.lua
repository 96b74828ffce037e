--! keys: queues, queue, job, results, log, ended, tombstone, finished, failed, canceled, dependencies, failed_of
-- See whether a new job may have its id. Returns nothing if so (an ended job with the same id is
-- cleared away, it begins anew); 'again' if this very call stored the job before and its reply was
-- lost; else the state of the job that has the id. An id that our client made up carries no token:
-- nobody else can have it. Where it may, `objection` is asked for a reason why it may not.
--
-- Nothing is written for 'again': a server that is full or read-only by now still says it.
local known_queues = {}

local function know_queue(name)
  if not known_queues[name] then
    redis.call('SADD', queues_key(), queue_key(name))
    known_queues[name] = true
  end
end

local function make_room(item, event, is_unique, objection)
  local job, tombstone = job_key(item.job_id), tombstone_key(item.job_id)
  if redis.call('EXISTS', job, tombstone) == 0 then
    local why = objection and objection()
    if not why then know_queue(item.queue) end
    return why or nil
  end
  local gone = redis.pcall('GET', tombstone)
  if type(gone) == 'string' and string.match(gone, ':(.*)$') == item.token then
    return 'again'
  end
  local old = redis.call('HMGET', job, 'status', 'token', 'origin', 'cause')
  if old[1] and (old[2] == item.token or item.token == '') then
    return 'again'
  end
  if old[1] and (is_unique or not after(event, old[1])) then
    return old[1]
  end
  local why = objection and objection()
  if why then return why end
  know_queue(item.queue)
  for _, registry in ipairs({finished_key, failed_key, canceled_key}) do
    redis.pcall('ZREM', registry(old[3] or ''), item.job_id)
  end
  if old[4] then redis.pcall('ZREM', failed_of_key(old[4]), item.job_id) end
  redis.call('DEL', job, results_key(item.job_id), log_key(item.job_id), ended_key(item.job_id),
    dependencies_key(item.job_id))
  return nil
end

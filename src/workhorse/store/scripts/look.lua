--! Say where jobs are, each in one moment, so that one on its way is seen in one place. Changes nothing.
--! keys: job, executions, queue, intermediate, lease, scheduled, deferred, ready, finished, failed, canceled, limited, allowed
--! args: in_lists
--! each: job_id, execution_id, queue, limit
--! include: _clock
--! returns: a row for each: whether its hash is there, its state, queue and execution, whether it expires, the
--!   executions that RQ's index knows, its places, three words for each, and the key of its rate limit. Lists are
--!   searched if `in_lists` is 1
local zsets = {
  {'scheduled', scheduled_key}, {'deferred', deferred_key}, {'ready', ready_key}, {'finished', finished_key},
  {'failed', failed_key}, {'canceled', canceled_key},
}

-- Keys may hold anything; what is not of the expected kind holds no job.
local function ask(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then return nil end
  return reply or nil
end

local function unique(words)
  local seen, kept = {}, {}
  for _, word in ipairs(words) do
    if not seen[word] then
      seen[word] = true
      kept[#kept + 1] = word
    end
  end
  return kept
end

local function look_in_queue(item, queue, executions, found)
  local function note(kind, detail)
    for _, word in ipairs({kind, queue, detail}) do found[#found + 1] = word end
  end
  if in_lists == '1' then
    for _ in ipairs(ask('LPOS', queue_key(queue), item.job_id, 'COUNT', 2) or {}) do note('queue', '') end
    for _ in ipairs(ask('LPOS', intermediate_key(queue), item.job_id, 'COUNT', 2) or {}) do note('intermediate', '') end
  end
  for _, zset in ipairs(zsets) do
    local moment = ask('ZSCORE', zset[2](queue), item.job_id)
    if moment then
      note(zset[1], (tonumber(moment) >= 0 and tonumber(moment) <= now) and 'past' or '')
    end
  end
  for _, execution in ipairs(executions) do
    local member = execution == '' and item.job_id or item.job_id .. ':' .. execution
    local lapses = ask('ZSCORE', lease_key(queue), member)
    if lapses then note(tonumber(lapses) <= now and 'lapsed' or 'lease', execution) end
  end
end

local function look(item)
  local job = job_key(item.job_id)
  local known = ask('HMGET', job, 'status', 'origin', 'execution_id', 'rate_limit_key') or {}
  local indexed = ask('ZRANGE', executions_key(item.job_id), 0, -1) or {}
  local found = {}
  local executions = unique({known[3] or '', item.execution_id, '', unpack(indexed)})
  for _, queue in ipairs(unique({known[2] or item.queue, item.queue})) do
    look_in_queue(item, queue, executions, found)
  end
  for _, limit in ipairs(unique({known[4] or item.limit, item.limit})) do
    for kind, place_of in pairs({limited = limited_key, allowed = allowed_key}) do
      if limit ~= '' and ask('ZSCORE', place_of(limit), item.job_id) then
        for _, word in ipairs({kind, limit, ''}) do found[#found + 1] = word end
      end
    end
  end
  return {redis.call('EXISTS', job), known[1] or '', known[2] or '', known[3] or '',
    redis.call('TTL', job) == -1 and 0 or 1, indexed, found, known[4] or ''}
end

local rows = {}
for item in items() do
  rows[#rows + 1] = look(item)
end
return rows

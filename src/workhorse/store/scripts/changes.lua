--! Sum up what pages show in a word, which is another one once something of it has changed. Changes nothing.
--! keys: queues, queue, lease, scheduled, deferred, finished, failed, canceled, broken, totals, paused, suspended, workers, cron_due, cron_jobs, limits, groups, audit, job, results, log, dependents
--! args: most
--! each: job_id
--! include: _clock, _lenient
--! returns: a word for all but single jobs, then one for each job
local parts = {}

local function note(...)
  for _, value in ipairs({...}) do
    if type(value) == 'table' then note(unpack(value)) else parts[#parts + 1] = tostring(value) end
  end
  parts[#parts + 1] = ';'
end

-- Also every ten seconds, for what is not looked at, and for times that pages tell.
local function word()
  parts[#parts + 1] = tostring(math.floor(now / 10))
  local sum = redis.sha1hex(table.concat(parts, ','))
  parts = {}
  return sum
end

local function some(key)
  if (lenient('SCARD', key) or 0) > 10 * most then return {} end
  local found = lenient('SMEMBERS', key) or {}
  table.sort(found)
  return found
end

local function look_at_queue(name)
  note(lenient('LLEN', queue_key(name)) or '', lenient('LLEN', broken_key(name)) or '')
  for _, key_of in ipairs({lease_key, scheduled_key, deferred_key, finished_key, failed_key, canceled_key}) do
    note(lenient('ZCARD', key_of(name)) or '')
  end
end

local function newest(key)
  local entry = (lenient('XREVRANGE', key, '+', '-', 'COUNT', 1) or {})[1]
  return entry and entry[1] or ''
end

local function look_at_server()
  if (lenient('HLEN', totals_key()) or 0) <= 20 * most then note(lenient('HVALS', totals_key()) or '') end
  local queues = some(queues_key())
  local start = #queue_key('') + 1
  for i = 1, math.min(#queues, most) do look_at_queue(string.sub(queues[i], start)) end
  note(#queues, lenient('ZRANGE', paused_key(), 0, most, 'WITHSCORES') or '', redis.call('EXISTS', suspended_key()))
  local names = some(workers_key())
  for i = 1, math.min(#names, most) do note(names[i], lenient('HMGET', names[i], 'state', 'current_job') or '') end
  note(#names, lenient('SCARD', limits_key()) or '', lenient('SCARD', groups_key()) or '', newest(audit_key()))
  note(lenient('ZRANGE', cron_due_key(), 0, most, 'WITHSCORES') or '')
  note(lenient('ZREVRANGE', cron_jobs_key(), 0, 0, 'WITHSCORES') or '')
end

local function look_at_job(id)
  local known = lenient('HMGET', job_key(id), 'status', 'execution_id', 'started_at', 'ended_at', 'progress', 'origin',
    'number_of_retries', 'retries_left', 'scheduled_for', 'group_id') or {}
  for i = 1, 10 do note(string.sub(known[i] or '', 1, 1000)) end
  note(lenient('HSTRLEN', job_key(id), 'meta') or '', lenient('XLEN', results_key(id)) or '', newest(log_key(id)))
  if known[6] and known[1] == 'queued' then note(lenient('LLEN', queue_key(known[6])) or '') end
  for i, child in ipairs(some(dependents_key(id))) do
    if i <= 50 then note(lenient('HMGET', job_key(child), 'status') or '') end
  end
end

most = tonumber(most)
look_at_server()
local words = {word()}
for item in items() do
  look_at_job(item.job_id)
  words[#words + 1] = word()
end
return words

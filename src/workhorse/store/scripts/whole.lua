--! Read all there is to know of a job, each part cut short. Changes nothing.
--! keys: job, queue, lease, results, dependents, dependencies, ended, tombstone, executions, execution, place
--! keys: limit, allowed, limited, log
--! args: job_id, longest, largest, most_runs, most_children, most_looked, most_running, fields..., large...
--! include: _clock, _lenient
--! returns: '' if there is no such job. Else the server's time; how many fields it has, or why they can't be read; the
--!   `fields`; of each `large` one its bytes, and its size; how many runs ended, then each (entry, its fields); runs that
--!   go on (execution, its fields); the lease of the run that holds it; how many wait before it; how many jobs wait for
--!   it, the next cursor, their ids; its rate limit: how many may run, have a place, wait, and its own rank; then its
--!   keys (kind, name, type, ms to live, bytes)
local job = job_key(job_id)
local kind = redis.call('TYPE', job).ok
if kind == 'none' then return {''} end

local function cut(value, most)
  return value and string.sub(value, 1, tonumber(most))
end

local function of_fields(key, names, most)
  local values = lenient('HMGET', key, unpack(names)) or {}
  for i = 1, #names do values[i] = cut(values[i] or false, most) end
  return values
end

local known = lenient('HMGET', job, 'status', 'origin', 'execution_id', 'rate_limit_key') or {}
local status, origin, own, limit_name = known[1] or '', known[2] or '', known[3] or '', known[4]

local function large_fields()
  local found = {}
  for i, name in ipairs(large) do
    local value = (lenient('HMGET', job, name) or {})[1]
    found[i] = {cut(value or false, largest), value and #value or 0}
  end
  return found
end

-- The newest first, one at a time: each may hold megabytes.
local function runs()
  local found, before = {tonumber(lenient('XLEN', results_key(job_id)) or 0)}, '+'
  while #found <= tonumber(most_runs) do
    local entry = (lenient('XREVRANGE', results_key(job_id), before, '-', 'COUNT', 1) or {})[1]
    if not entry then break end
    local told = {}
    for i = 1, math.min(#entry[2], 40) do told[i] = cut(entry[2][i], largest) end
    found[#found + 1] = {entry[1], told}
    before = '(' .. entry[1]
  end
  return found
end

local function running()
  local found, seen = {}, {}
  local ids = lenient('ZRANGE', executions_key(job_id), 0, most_running - 1) or {}
  if own ~= '' and status == 'started' then table.insert(ids, 1, own) end
  for _, id in ipairs(ids) do
    if not seen[id] then
      seen[id] = true
      local told = of_fields(execution_key(job_id, id), {'worker_name', 'created_at', 'last_heartbeat'}, longest)
      found[#found + 1] = {cut(id, longest), unpack(told)}
    end
  end
  return found
end

local function waits_behind()
  if status ~= 'queued' then return false end
  return lenient('LPOS', queue_key(origin), job_id, 'MAXLEN', most_looked) or false
end

local function children()
  local found = lenient('SSCAN', dependents_key(job_id), 0, 'COUNT', most_children) or {'0', {}}
  local ids = {}
  for i = 1, math.min(#found[2], tonumber(most_children)) do ids[i] = cut(found[2][i], longest) end
  return {lenient('SCARD', dependents_key(job_id)) or 0, ids}
end

local function rate_limit()
  if not limit_name or limit_name == '' then return {} end
  local concurrency = (lenient('HMGET', limit_key(limit_name), 'concurrency') or {})[1]
  return {cut(concurrency or '', longest), lenient('ZCARD', allowed_key(limit_name)) or 0,
    lenient('ZCARD', limited_key(limit_name)) or 0, lenient('ZSCORE', allowed_key(limit_name), job_id) or '',
    lenient('ZRANK', limited_key(limit_name), job_id) or -1}
end

local function keys_of_job()
  local found = {}
  local names = {job = job, results = results_key(job_id), dependents = dependents_key(job_id),
    dependencies = dependencies_key(job_id), ended = ended_key(job_id), tombstone = tombstone_key(job_id),
    executions = executions_key(job_id), place = place_key(job_id), log = log_key(job_id)}
  if own ~= '' then names.execution = execution_key(job_id, own) end
  for template, name in pairs(names) do
    local its = redis.call('TYPE', name).ok
    if its ~= 'none' then
      local bytes = redis.pcall('MEMORY', 'USAGE', name)
      found[#found + 1] = {template, cut(name, longest), its, redis.call('PTTL', name), tonumber(bytes) or 0}
    end
  end
  return found
end

local leased = own ~= '' and lenient('ZSCORE', lease_key(origin), job_id .. ':' .. own) or ''
local size = kind == 'hash' and redis.call('HLEN', job) or 'a ' .. kind .. ' where a job\'s hash belongs'
return {score(now), size, of_fields(job, fields, longest), large_fields(), runs(), running(), leased, waits_behind(),
  children(), rate_limit(), keys_of_job()}

--! Sample how much there is of what, once for each slot of time, for charts. A call looks at `budget` workers and queues.
--! keys: history, history_of, histories, queues, queue, lease, workers, turn
--! args: at, budget, most, so_far, holder, steps..., sizes...
--! include: _clock, _lenient, _ring, _figures
--! returns: what the next call is to be told, or '' when all is done; then the seconds until the next slot
local moment = tonumber(at) or now
local due, is_any = {}, false
for span = 1, #steps do
  due[span] = is_due(span, moment)
  is_any = is_any or due[span]
end
local rest = tostring(steps[1] - moment % steps[1])
if not is_any then return {'', rest} end

-- A fleet's supervisors come at the same time: where one call is not enough, one of them goes on.
local others = lenient('GET', turn_key('sample'))
if others and others ~= holder then return {'', rest} end
local known, left, seen = {}, tonumber(budget), {}
local ranked = lenient('ZRANGE', histories_key(), 0, -1, 'WITHSCORES') or {}
for i = 1, #ranked, 2 do known[ranked[i]] = tonumber(ranked[i + 1]) end
local nothing = {counts = {0, 0, 0, 0}, queued = 0, oldest = 0, busy = 0, workers = 0}
local told = so_far ~= '' and cmsgpack.unpack(so_far) or {part = 1, cursor = '0', all = nothing, of = {}, best = {}}
local all = told.all

local function look_at_worker(key)
  local found = lenient('HMGET', key, 'state', 'queues')
  if not found or not found[1] then return end
  local busy = found[1] == 'busy' and 1 or 0
  all.busy, all.workers = all.busy + busy, all.workers + 1
  for queue in string.gmatch(found[2] or '', '[^,]+') do
    local of = told.of[queue] or {0, 0}
    told.of[queue] = {of[1] + busy, of[2] + 1}
  end
end

local function look_at_queue(key)
  local start = queue_key('')
  if string.sub(key, 1, #start) ~= start then return end
  local queue = string.sub(key, #start + 1)
  local row = row_of(queue, moment)
  local of = told.of[queue] or {0, 0}
  row.busy, row.workers = of[1], of[2]
  for i = 1, 4 do all.counts[i] = all.counts[i] + row.counts[i] end
  all.queued = all.queued + (row.queued or 0)
  all.oldest = math.max(all.oldest, row.oldest or 0)
  all.is_unsure = all.is_unsure or not row.oldest
  if known[queue] then write_row(history_of_key(queue), due, moment, row) end
  local is_used = (row.queued or 0) > 0 or (lenient('ZCARD', lease_key(queue)) or 0) > 0
    or (known[queue] and known[queue] ~= row.rank)
  table.insert(told.best, {queue, row.rank, is_used and 1 or 0})
end

-- Looks at the members of a set, from where the last call ended; returns whether it is through.
local function has_walked(key, look)
  repeat
    local page = lenient('SSCAN', key, told.cursor, 'COUNT', 100) or {'0', {}}
    told.cursor = page[1]
    for _, member in ipairs(page[2]) do
      if not seen[member] then look(member) end
      seen[member] = true
      left = left - 1
    end
  until told.cursor == '0' or left <= 0
  return told.cursor == '0'
end

-- The queues with a history of their own: those in use come first, of them those in which most happened so far.
local function keep_best()
  table.sort(told.best, function(a, b)
    if a[3] ~= b[3] then return a[3] > b[3] end
    if a[2] ~= b[2] then return a[2] > b[2] end
    return a[1] < b[1]
  end)
  while #told.best > tonumber(most) do table.remove(told.best) end
end

local function choose_queues()
  local kept, had = {}, 0
  for _ in pairs(known) do had = had + 1 end
  if not due[#steps] and had >= tonumber(most) then return end
  for _, each in ipairs(told.best) do
    kept[each[1]] = true
    -- First: a server that is full refuses it, and then all else is left as it is.
    if type(redis.pcall('ZADD', histories_key(), each[2], each[1])) == 'table' then return end
    if not known[each[1]] then write_row(history_of_key(each[1]), due, moment, row_of(each[1], moment)) end
  end
  for queue in pairs(known) do
    if not kept[queue] then
      redis.call('DEL', history_of_key(queue))
      redis.call('ZREM', histories_key(), queue)
    end
  end
  redis.call('EXPIRE', histories_key(), keep_for)
end

local function memory()
  local info = redis.pcall('INFO', 'memory')
  local bytes = type(info) == 'string' and tonumber(string.match(info, 'used_memory:(%d+)'))
  return bytes and bytes / 1024 or nil
end

local is_through = false
if told.part == 1 and has_walked(workers_key(), look_at_worker) then told.part, seen = 2, {} end
if told.part == 2 and left > 0 then is_through = has_walked(queues_key(), look_at_queue) end
keep_best()
if not is_through then
  redis.pcall('SET', turn_key('sample'), holder, 'EX', 10)
  return {cmsgpack.pack(told), rest}
end
if others then redis.call('DEL', turn_key('sample')) end
all.memory = memory()
if all.is_unsure and all.oldest == 0 then all.oldest = nil end
write_row(history_key(), due, moment, all)
choose_queues()
return {'', rest}

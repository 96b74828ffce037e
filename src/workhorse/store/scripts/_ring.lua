-- History: strings in which each slot of time has a record at a fixed place, so that they never grow. Those of the first
-- span come first, then those of the next, which sum up the records of the span before. See store/history.py.
local record_format, record_length, unknown, unknown_few = '<dI4I4I4I4I4fI4I2I2', 40, 4294967295, 65535
local keep_for = 30 * 86400

local function whole(number, most)
  return number and math.min(math.max(math.floor(number + 0.5), 0), most - 1) or most
end

local function packed(moment, row)
  local counts = {}
  for i = 1, 4 do counts[i] = (row.counts[i] or 0) % 4294967296 end
  return struct.pack(record_format, moment, counts[1], counts[2], counts[3], counts[4], whole(row.queued, unknown),
    row.oldest or -1, whole(row.memory, unknown), whole(row.busy, unknown_few), whole(row.workers, unknown_few))
end

local function place_of(span, slot)
  local first = 0
  for i = 1, span - 1 do first = first + sizes[i] end
  return (first + slot % sizes[span]) * record_length
end

local function time_at(key, span, slot)
  local found = lenient('GETRANGE', key, place_of(span, slot), place_of(span, slot) + 7) or ''
  return #found == 8 and struct.unpack('<d', found) or 0
end

local function is_due(span, moment)
  local slot = math.floor(moment / steps[span])
  return math.floor(time_at(history_key(), span, slot) / steps[span]) ~= slot
end

local function mean(some)
  local sum = 0
  for _, number in ipairs(some) do sum = sum + number end
  return #some > 0 and sum / #some or nil
end

-- What the records of the span before say of the last slot's time: how much on average, but how old at most.
local function summed_up(key, span, moment, row)
  local queued, busy, workers, oldest = {}, {}, {}, row.oldest
  local last = math.floor(moment / steps[span - 1])
  for slot = last - steps[span] / steps[span - 1] + 1, last do
    local first = place_of(span - 1, slot)
    local found = redis.call('GETRANGE', key, first, first + record_length - 1)
    if #found == record_length then
      local time, _, _, _, _, waiting, age, _, at_work, all = struct.unpack(record_format, found)
      if math.floor(time / steps[span - 1]) == slot then
        if waiting < unknown then queued[#queued + 1] = waiting end
        if at_work < unknown_few then busy[#busy + 1] = at_work end
        if all < unknown_few then workers[#workers + 1] = all end
        if age >= 0 then oldest = math.max(oldest or 0, age) end
      end
    end
  end
  return {counts = row.counts, memory = row.memory, oldest = oldest, queued = mean(queued), busy = mean(busy),
    workers = mean(workers)}
end

-- Write `row` into the slots that are due. A server that is full keeps no history; a key of another kind is begun anew.
local function write_row(key, due, moment, row)
  local size = 0
  for i = 1, #sizes do size = size + sizes[i] * record_length end
  local length = lenient('STRLEN', key)
  if length ~= size then
    if length ~= 0 then redis.call('DEL', key) end
    if type(redis.pcall('SETRANGE', key, size - 1, '\0')) == 'table' then return end
  end
  for span = 1, #steps do
    if due[span] then
      local told = span == 1 and row or summed_up(key, span, moment, row)
      local place = place_of(span, math.floor(moment / steps[span]))
      if type(redis.pcall('SETRANGE', key, place, packed(moment, told))) == 'table' then return end
    end
  end
  redis.call('EXPIRE', key, keep_for)
end

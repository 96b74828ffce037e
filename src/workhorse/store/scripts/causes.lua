--! Read a page of the causes that jobs failed of, the newest first. Changes nothing.
--! keys: queues, queue, failed, causes, cause, failed_of
--! args: offset, length, queue, longest, fields...
--! include: _lenient
--! returns: how many causes there are (of that queue, where one is given), and how many failed jobs have none ('' where a
--!   queue is given); then for each its id, how many jobs failed of it, its fields, and the queues
local rows, total, grouped = {}, 0, 0
local first, last = tonumber(offset), tonumber(offset) + tonumber(length) - 1

local function row_of(id, many)
  local row, known = {id, many}, lenient('HMGET', cause_key(id), unpack(fields)) or {}
  for i = 1, #fields do row[i + 2] = string.sub(known[i] or '', 1, tonumber(longest)) end
  local queues = {}
  for _, field in ipairs(lenient('HKEYS', cause_key(id)) or {}) do
    if string.sub(field, 1, 6) == 'queue:' then queues[#queues + 1] = string.sub(field, 7, 6 + tonumber(longest)) end
  end
  row[#fields + 3] = queues
  return row
end

for _, id in ipairs(lenient('ZREVRANGE', causes_key(), 0, -1) or {}) do
  local many = lenient('ZCARD', failed_of_key(id)) or 0
  grouped = grouped + many
  if many > 0 and (queue == '' or lenient('HEXISTS', cause_key(id), 'queue:' .. queue) == 1) then
    if total >= first and total <= last then rows[#rows + 1] = row_of(id, many) end
    total = total + 1
  end
end

-- Those of RQ's workers, those that a person stopped, and those that failed before causes were kept.
local function count_ungrouped()
  local many, head = -grouped, queue_key('')
  for _, key in ipairs(lenient('SMEMBERS', queues_key()) or {}) do
    if string.sub(key, 1, #head) == head then
      many = many + (lenient('ZCARD', failed_key(string.sub(key, #head + 1))) or 0)
    end
  end
  return math.max(0, many)
end

return {total, queue == '' and count_ungrouped() or '', unpack(rows)}

--! Read how a job stands, what it told of itself last, and lines of its log, each cut to `longest` bytes. Changes nothing.
--! keys: job, log
--! args: job_id, after_id, count, backwards, longest
--! include: _lenient
--! returns: its state or '', its progress or '', how many lines are kept, or why they can't be read; then for each line
--!   its id, moment, source, level and text
local known = lenient('HMGET', job_key(job_id), 'status', 'progress') or {}
local most = tonumber(longest)
local rows = {string.sub(known[1] or '', 1, most), string.sub(known[2] or '', 1, most)}

local function cut(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return string.sub(fields[i + 1], 1, most) end
  end
  return ''
end

local function read()
  local found
  if backwards == '1' then
    found = redis.call('XREVRANGE', log_key(job_id), '+', '-', 'COUNT', count)
  else
    found = redis.call('XRANGE', log_key(job_id), after_id == '' and '-' or '(' .. after_id, '+', 'COUNT', count)
  end
  rows[3] = redis.call('XLEN', log_key(job_id))
  for _, entry in ipairs(found) do
    local fields = entry[2]
    table.insert(rows, backwards == '1' and 4 or #rows + 1, {entry[1], cut(fields, 'at'), cut(fields, 'source'),
      cut(fields, 'level'), cut(fields, 'text')})
  end
end

local fine, problem = pcall(read)
if not fine then rows[3] = type(problem) == 'table' and problem.err or tostring(problem) end
return rows

--! Read workers as they show themselves, each field cut to `longest` bytes, and what each holds. Changes nothing.
--! keys: worker, worker_executions, claim, job
--! events: claim
--! args: longest, most, fields...
--! each: name
--! include: _lenient
--! returns: for each its fields, or '' for those that it has not, then how many jobs it holds as far as they were looked at, then
--!   some of them as (id, execution)
local started = after('claim', 'queued')

-- Those that its last claim took, in their order: claim.lua's memo is a token and JSON.
local function claimed(name, candidates)
  local memo = lenient('GET', claim_key(name))
  local fine, told = pcall(cjson.decode, string.sub(memo or '', 25))
  if not fine or type(told) ~= 'table' or type(told[1]) ~= 'table' then return end
  for i = 2, math.min(#told[1], 2 * most), 2 do
    candidates[#candidates + 1] = tostring(told[1][i])
  end
end

-- Those that are shown as running, for a while.
local function shown(name, candidates)
  local key = worker_executions_key(name)
  if (lenient('SCARD', key) or 0) > tonumber(most) then return end
  for _, member in ipairs(lenient('SMEMBERS', key) or {}) do
    candidates[#candidates + 1] = string.match(member, '^(.+):[^:]*$') or member
  end
end

local function held(name)
  local candidates, seen, found = {}, {}, {}
  claimed(name, candidates)
  shown(name, candidates)
  for _, id in ipairs(candidates) do
    local known = not seen[id] and lenient('HMGET', job_key(id), 'status', 'worker_name', 'execution_id') or {}
    seen[id] = true
    if known[1] == started and known[2] == name then
      found[#found + 1] = id
      found[#found + 1] = known[3] or ''
    end
  end
  return found
end

local rows = {}
for item in items() do
  local values = lenient('HMGET', worker_key(item.name), unpack(fields)) or {}
  local row = {}
  for i = 1, #fields do row[i] = string.sub(values[i] or '', 1, tonumber(longest)) end
  local jobs = held(item.name)
  row[#row + 1] = #jobs / 2
  for i = 1, math.min(#jobs, 2 * most) do row[#row + 1] = jobs[i] end
  rows[#rows + 1] = row
end
return rows

--! Count the members of groups by the state of their jobs, a slice of each group's. Changes nothing.
--! keys: group, job
--! args: count
--! each: group, cursor
--! include: _lenient
--! returns: for each group the next cursor ('0' after the last slice), how many members it has, the ids of this slice,
--!   then (state, how many); a job that is gone, or in another group, has the state ''
local function slice_of(group, cursor)
  local key = group_key(group)
  local page = lenient('SSCAN', key, cursor, 'COUNT', count)
  if not page then return {'0', 0, {}} end
  local many, order = {}, {}
  for _, id in ipairs(page[2]) do
    local known = lenient('HMGET', job_key(id), 'status', 'group_id') or {}
    local state = known[2] == group and known[1] or ''
    if not many[state] then order[#order + 1] = state end
    many[state] = (many[state] or 0) + 1
  end
  local row = {page[1], redis.call('SCARD', key), page[2]}
  for _, state in ipairs(order) do
    row[#row + 1] = state
    row[#row + 1] = many[state]
  end
  return row
end

local rows = {}
for item in items() do rows[#rows + 1] = slice_of(item.group, item.cursor) end
return rows

--! Read a page of the audit log, the newest first, each field cut to `longest` bytes. Changes nothing.
--! keys: audit
--! args: before, length, longest, names...
--! include: _lenient
--! returns: how many entries there are, then for each its id and the fields asked for
local found = lenient('XREVRANGE', audit_key(), before == '' and '+' or '(' .. before, '-', 'COUNT', length) or {}
local rows = {lenient('XLEN', audit_key()) or 0}
for _, entry in ipairs(found) do
  local values, row = {}, {entry[1]}
  for i = 1, #entry[2], 2 do values[entry[2][i]] = string.sub(entry[2][i + 1], 1, tonumber(longest)) end
  for i, name in ipairs(names) do row[i + 1] = values[name] or '' end
  rows[#rows + 1] = row
end
return rows

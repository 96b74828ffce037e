--! Note in the audit log what somebody did, or tried. Noted once, however often it is sent.
--! keys: audit
--! args: token, kept, fields...
local log = audit_key()
local function recent()
  return redis.call('XREVRANGE', log, '+', '-', 'COUNT', 100)
end
local fine, found = pcall(recent)
if not fine then  -- another kind of key: it is no log
  redis.call('DEL', log)
  found = {}
end
for _, entry in ipairs(found) do
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'token' and entry[2][i + 1] == token then return 0 end
  end
end
redis.call('XADD', log, 'MAXLEN', '~', kept, '*', 'token', token, unpack(fields))
return 1

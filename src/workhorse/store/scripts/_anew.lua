-- A command's reply, of a key that only serves people to find something: one of another kind is made anew.
local function anew(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  if not string.find(reply.err, 'WRONGTYPE', 1, true) then error(reply.err, 0) end
  redis.call('DEL', key)
  return redis.call(command, key, ...)
end

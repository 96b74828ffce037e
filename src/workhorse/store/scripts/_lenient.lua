-- A command's reply; nothing for a key of another kind than it should be: bad data of one job, or queue, stops no other.
local function lenient(...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  if not string.find(reply.err, 'WRONGTYPE', 1, true) then error(reply.err, 0) end
end

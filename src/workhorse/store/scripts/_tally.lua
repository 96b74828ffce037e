--! keys: totals
-- What happened to jobs, by event and queue, since the server was first used. A script notes what it does, and writes
-- that once, at its end; a counter that can't be read is begun anew, and a server that is full does not count.
local tallies = {}

local function tally(event, queue, many)
  local of = tallies[event]
  if not of then
    of = {}
    tallies[event] = of
  end
  of[queue] = (of[queue] or 0) + (many or 1)
end

local function add_to(key, field, many)
  local reply = redis.pcall('HINCRBY', key, field, many)
  if type(reply) ~= 'table' then return reply end
  if string.find(reply.err, 'WRONGTYPE', 1, true) then
    redis.call('DEL', key)
  elseif string.find(reply.err, 'not an integer', 1, true) then
    redis.call('HDEL', key, field)
  end
  redis.pcall('HINCRBY', key, field, many)
end

local function write_tallies()
  local key = totals_key()
  for event, of in pairs(tallies) do
    for queue, many in pairs(of) do add_to(key, event .. ':' .. queue, many) end
  end
  tallies = {}
end

--! Say whether work that one process is enough for is this one's to do. It saves work: nothing relies on it.
--! keys: turn
--! args: work, holder, seconds
--! returns: 1 if nobody else has it, and then for so many more seconds; else 0
local key = turn_key(work)
local now_has = redis.call('GET', key)
if now_has and now_has ~= holder then
  return 0
end
redis.call('DEL', key)  -- first: out of memory, a script must begin with a removal
redis.call('SET', key, holder, 'EX', seconds)
return 1

--! Have workers take jobs from a queue again, at once.
--! keys: paused
--! args: name
--! include: _clock, _push
--! returns: 1 if it was paused
local was = redis.call('ZSCORE', paused_key(), name)
redis.call('ZREM', paused_key(), name)
local waiting = redis.pcall('LLEN', queue_key(name))
if type(waiting) == 'number' and waiting > 0 then ring(name) end
return was and tonumber(was) > now and 1 or 0

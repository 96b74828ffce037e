--! keys: suspended, paused
-- Which queues nobody is to take jobs from: paused[queue]. Where nothing is suspended or paused it costs one command.
local paused, is_suspended = {}, false

if redis.call('EXISTS', suspended_key(), paused_key()) > 0 then
  is_suspended = redis.call('EXISTS', suspended_key()) == 1
  local queues = redis.pcall('ZRANGEBYSCORE', paused_key(), '(' .. score(now), '+inf')
  for _, queue in ipairs(queues) do paused[queue] = true end  -- none, where the key is of another kind
end

--! keys: queue, bell
-- Put a job on its queue and wake one idle worker. The bell holds at most one token:
-- whoever claims and leaves jobs behind rings for the next.
local function ring(queue)
  local tokens = redis.pcall('LLEN', bell_key(queue))
  if type(tokens) == 'table' then  -- no list; and nothing of value
    redis.call('DEL', bell_key(queue))
  end
  if tokens == 0 or type(tokens) == 'table' then
    redis.call('RPUSH', bell_key(queue), 1)
  end
end

local function push(queue, job_id, at_front)
  redis.call(at_front and 'LPUSH' or 'RPUSH', queue_key(queue), job_id)
  ring(queue)
end

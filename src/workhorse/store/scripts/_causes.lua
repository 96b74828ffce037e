--! keys: job, causes, cause, failed_of
--! include: _anew
-- Why jobs failed: those that failed of one cause are listed together. All of it expires
-- when nothing fails for long.
local most_causes, most_queues, kept_for = 1000, 20, 34560000
local too_many = {id = 'other', ['function'] = '(other)', error = '(other causes)', message = '', place = ''}

-- An entry of a job for each cause would be one for each cause that it ever had.
local function list_failed(job_id, id)
  local before = redis.call('HGET', job_key(job_id), 'cause')
  if before and before ~= id then lenient('ZREM', failed_of_key(before), job_id) end
  redis.call('HSET', job_key(job_id), 'cause', id)
  anew('ZADD', failed_of_key(id), score(now), job_id)
  redis.call('EXPIRE', failed_of_key(id), kept_for)
end

-- A queue more than these is not named.
local function count_failure(key, queue)
  add_to(key, 'seen', 1)
  local field = 'queue:' .. queue
  if redis.call('HEXISTS', key, field) == 1 or redis.call('HLEN', key) < 7 + most_queues then add_to(key, field, 1) end
end

local function note_cause(item)
  local fine, found = pcall(cjson.decode, item.failure)
  if not fine or type(found) ~= 'table' or type(found.id) ~= 'string' then return end
  if not anew('ZSCORE', causes_key(), found.id) and redis.call('ZCARD', causes_key()) >= most_causes then
    found = too_many
  end
  local key = cause_key(found.id)
  anew('HSETNX', key, 'first_at', score(now))
  redis.call('HSET', key, 'last_at', score(now), 'function', found['function'], 'error', found.error,
    'message', found.message, 'place', found.place)
  count_failure(key, item.queue)
  redis.call('ZADD', causes_key(), score(now), found.id)
  redis.call('EXPIRE', key, kept_for)
  redis.call('EXPIRE', causes_key(), kept_for)
  if tonumber(item.ttl) ~= 0 then list_failed(item.job_id, found.id) end
end

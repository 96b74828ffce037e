--! keys: job, channel
-- What a person does to a job: once, however often it is sent, and its worker hears of it.
local function known_fields(job_id, names)
  local known = {}
  for i, value in ipairs(lenient('HMGET', job_key(job_id), unpack(names)) or {}) do
    known[names[i]] = value or nil
  end
  return known
end

-- The state in which this very call found the job, if its reply was lost and it is sent again.
local function answered_before(known, token)
  if token == '' or string.sub(known.moved_by or '', 1, #token + 1) ~= token .. ':' then return nil end
  return string.sub(known.moved_by, #token + 2)
end

local function note_move(job_id, token, was)
  if token ~= '' then
    redis.call('HSET', job_key(job_id), 'moved_by', token .. ':' .. was)
  end
end

-- The channel and its commands are RQ's. Nobody may be listening: all that matters is in the hash.
local function tell_worker(worker, message)
  if worker and worker ~= '' then
    redis.pcall('PUBLISH', channel_key(worker), cjson.encode(message))
  end
end

--! keys: job, channel
-- What a person does to a job: once, however often it is sent, and its worker hears of it.
local function known_fields(job_id, names)
  local known = {}
  for i, value in ipairs(lenient('HMGET', job_key(job_id), unpack(names)) or {}) do
    known[names[i]] = value or nil
  end
  return known
end

-- The last calls are known, newest first, each with the state that it found. More than one, because other people's
-- calls may come before this one is sent again, and would otherwise be undone by it.
local moves_known = 4

-- The state in which this very call found the job, if its reply was lost and it is sent again.
local function answered_before(known, token)
  for moved_by, was in string.gmatch(known.moved_by or '', '(%S+):(%S+)') do
    if moved_by == token then return was end
  end
  return nil
end

local function note_move(job_id, token, known)
  if token == '' then return end
  local moves = {token .. ':' .. known.status}
  for move in string.gmatch(known.moved_by or '', '%S+') do
    if #moves < moves_known then moves[#moves + 1] = move end
  end
  redis.call('HSET', job_key(job_id), 'moved_by', table.concat(moves, ' '))
end

-- The channel and its commands are RQ's. Nobody may be listening: all that matters is in the hash.
local function tell_worker(worker, message)
  if worker and worker ~= '' then
    redis.pcall('PUBLISH', channel_key(worker), cjson.encode(message))
  end
end

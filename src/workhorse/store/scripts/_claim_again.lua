--! keys: lease, job, claim, closed
-- A claim that is sent again with the same token (its reply was lost) returns what it took, and dropped, the first
-- time and takes nothing. One with a count of 0 only does that, and no later sending takes anything then: whoever asks
-- so gave the worker up, whose claim may still be on its way. A worker waits for each claim before it sends the next
-- with a greater token; one that arrives late, because its connection broke and it was sent again, takes nothing.
local jobs, dropped = {}, {}
local at = {}
for i, name in ipairs(fields) do at[name] = i end
local closed_for = 600  -- seconds that a message may take to arrive

local function execution_of(number)
  return string.format('%s%08x', token, number)
end

-- `taken` is queue, id, queue, id ...; the number of a job gives its execution.
local function take_again(taken)
  for i = 1, #taken, 2 do
    local queue, id, execution = taken[i], taken[i + 1], execution_of((i + 1) / 2)
    if redis.pcall('ZSCORE', lease_key(queue), id .. ':' .. execution) then
      local values = redis.pcall('HMGET', job_key(id), unpack(fields))
      if not values.err then
        jobs[#jobs + 1] = {queue, id, execution, values, extras_of(id, values[at.extras], values[at.result_in])}
      end
    end
  end
end

local function is_late(last)
  return string.sub(last, 1, 16) == string.sub(token, 1, 16)
    and (tonumber(string.sub(last, 17), 16) or 0) > (tonumber(string.sub(token, 17), 16) or 0)
end

-- Whether nothing more is to be taken.
local function is_over()
  local memo, closed = unpack(redis.call('MGET', claim_key(worker), closed_key(token)))
  local is_closing = tonumber(count) == 0
  if is_closing then
    redis.call('DEL', closed_key(token))  -- first: out of memory, a script must begin with a removal
    redis.call('SET', closed_key(token), 1, 'EX', closed_for)
  end
  if memo and string.sub(memo, 1, #token) == token then
    local taken
    taken, dropped = unpack(cjson.decode(string.sub(memo, #token + 1)))
    take_again(taken)
    return true
  end
  return is_closing or closed or (memo and is_late(string.sub(memo, 1, #token)))
end

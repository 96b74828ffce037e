--! keys: job
--! args: extras...
-- What only some jobs have: of one that says so in its field `extras`, or that RQ's client made, which says nothing.
local function extras_of(job_id, says, result_in)
  if not says and result_in then return nil end
  local values = redis.pcall('HMGET', job_key(job_id), unpack(extras))
  if values.err then return nil end
  for i = 1, #extras do
    if values[i] then return values end
  end
end

--! Take jobs off a cause that are gone, or did not fail of it last: the oldest, and one page of all.
--! keys: causes, cause, failed_of, job
--! args: id, cursor, count, forget_after
--! include: _clock, _sweep_index
--! returns: where the next page begins, "0" after the last; and how many were taken off
local key = failed_of_key(id)

local next_page, removed = sweep_index(key, cursor, count, function(job_id)
  local known = lenient('HMGET', job_key(job_id), 'status', 'cause') or {}
  return known[1] ~= 'failed' or known[2] ~= id
end)

-- What failed shortly before may fail of it again: it is then known since when.
local last = tonumber(lenient('ZSCORE', causes_key(), id) or '') or 0
if redis.call('EXISTS', key) == 0 and now - last > tonumber(forget_after) then
  redis.call('DEL', cause_key(id))
  lenient('ZREM', causes_key(), id)
end
return {next_page, removed}

--! include: _lenient
-- Take jobs off an index that people look things up in: the oldest, which expire first, and one page of all. `is_stale` says
-- of a job whether it is there without reason. Returns where the next page begins, and how many were taken off.
local function sweep_index(key, cursor, count, is_stale)
  local page, gone, removed = redis.pcall('ZSCAN', key, cursor, 'COUNT', count), {}, 0
  if page.err then  -- no sorted set: jobs from now on are listed
    redis.call('DEL', key)
    page = {'0', {}}
  end
  local function look(job_id)
    if is_stale(job_id) then gone[#gone + 1] = job_id end
  end
  for at = 1, #page[2], 2 do look(page[2][at]) end
  for _, job_id in ipairs(redis.call('ZRANGE', key, 0, count - 1)) do look(job_id) end
  for _, job_id in ipairs(gone) do removed = removed + redis.call('ZREM', key, job_id) end
  return page[1], removed
end

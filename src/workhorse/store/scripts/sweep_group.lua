--! Take members of a group off it whose jobs are gone, or belong to another by now: one page of them.
--! keys: groups, group, job
--! args: group, cursor, count
--! returns: where the next page begins, "0" after the last; and how many were taken off
local page = redis.pcall('SSCAN', group_key(group), cursor, 'COUNT', count)
if page.err then return {'0', 0} end  -- no set: nobody can be taken off it
local gone = {}
for _, id in ipairs(page[2]) do
  if redis.pcall('HGET', job_key(id), 'group_id') ~= group then gone[#gone + 1] = id end
end
for _, id in ipairs(gone) do redis.call('SREM', group_key(group), id) end
if redis.call('EXISTS', group_key(group)) == 0 then
  redis.call('SREM', groups_key(), group)
end
return {page[1], #gone}

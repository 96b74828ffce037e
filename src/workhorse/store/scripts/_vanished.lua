--! keys: dependents, promoting
-- Of a job that expired while it waited: those that wait for it are told by the script `promote`.
local function note_vanished(job_id)
  if redis.call('EXISTS', dependents_key(job_id)) == 1 then
    redis.pcall('HSET', promoting_key(), job_id, '0:gone')
  end
end

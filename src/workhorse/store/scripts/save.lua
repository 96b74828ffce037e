--! Store a job that was made by hand and waits nowhere; `enqueue` begins it.
--! keys: job
--! args: job_id, fields...
--! returns: 1 once it is stored, 0 if its id is taken
if redis.call('EXISTS', job_key(job_id)) == 1 then
  return 0
end
redis.call('HSET', job_key(job_id), unpack(fields))
return 1

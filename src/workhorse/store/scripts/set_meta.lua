--! Replace a job's meta, unless the job is gone: a late write must not bring its hash back.
--! keys: job
--! args: job_id, meta
--! returns: 1 once written, 0 if there is no such job
if redis.call('HEXISTS', job_key(job_id), 'data') == 0 then
  return 0
end
redis.call('HSET', job_key(job_id), 'meta', meta)
return 1

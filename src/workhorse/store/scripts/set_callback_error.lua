--! Keep with a job what a callback of its last run did wrong, once that run is settled.
--! keys: job
--! args: job_id, execution_id, problem
--! returns: 1, or 0 if the job is gone or was run again
local job = job_key(job_id)
if redis.call('HGET', job, 'execution_id') ~= execution_id then return 0 end
redis.call('HSET', job, 'callback_error', problem)
return 1

--! keys: job, dependents
-- Our client refuses these options; RQ's does not, and a job must not lose them in silence.
local unheeded = {}
local options_of_rq = {'success_callback_name', 'failure_callback_name', 'stopped_callback_name', 'repeats_left',
  'rate_limit_key', 'webhooks'}

local function note_unheeded(queue, id)
  local names = {}
  for i, value in ipairs(redis.call('HMGET', job_key(id), unpack(options_of_rq))) do
    if value and value ~= '' then names[#names + 1] = options_of_rq[i] end
  end
  if redis.call('EXISTS', dependents_key(id)) == 1 then names[#names + 1] = 'dependents' end
  if #names > 0 then unheeded[#unheeded + 1] = {queue, id, table.concat(names, ', ')} end
end

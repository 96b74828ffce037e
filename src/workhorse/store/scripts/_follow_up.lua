--! keys: job
--! events: enqueue
-- Jobs that tell others how a job ended. They are stored in the same step as that end; their ids follow from the run,
-- so that each is stored once.
local webhook_waits = '[10,30,90,300,900,1800,3600,7200]'  -- seconds; a target may be away for half a day's work
local in_hash = 'hash'
local webhook_rules = '{"jitter":0.25,"give_up":["workhorse.core.errors.WebhookRefusedError"]}'

-- What they need of the job, before its hash may go.
local function noted_for_followers(item)
  local noted, names = {}, {'webhooks', 'enqueued_at', 'description', 'failure_callback_name',
    'failure_callback_timeout', 'stopped_callback_name', 'stopped_callback_timeout'}
  for i, value in ipairs(redis.call('HMGET', job_key(item.job_id), unpack(names))) do
    if value and value ~= '' then noted[names[i]] = value end
  end
  return noted
end

local function add_follow_up(item, name, description, timeout, told, ...)
  local run = string.sub(redis.sha1hex(item.job_id .. ':' .. item.execution_id), 1, 24)
  local id = name .. '-' .. run
  local job = job_key(id)
  if redis.call('EXISTS', job) == 1 then return end
  told.job_id, told.error = item.job_id, item.entry[4]
  push(item.queue, id, true)
  tally('enqueue', item.queue)
  redis.call('HSET', job, 'status', after('enqueue', nil), 'origin', item.queue, 'description', description, 'created_at',
    text(now), 'enqueued_at', text(now), 'timeout', timeout, 'result_in', in_hash, 'extras', 1,
    'data', '["workhorse.follow_up",null,[],{}]', 'follow_up', cjson.encode(told), ...)
end

-- The callback of a run whose process died; once, whatever becomes of it.
local function follow_with_callback(item, noted)
  local kind = item.to == 'failed' and 'failure' or item.to
  local name = noted[kind .. '_callback_name']
  if not name then return end
  local timeout = tonumber(noted[kind .. '_callback_timeout'] or '') or 60
  local told = {kind = kind, callback = name, timeout = timeout, event = item.event, queue = item.queue}
  add_follow_up(item, 'callback', kind .. ' callback ' .. name .. ' of job ' .. item.job_id, timeout, told,
    'on_lost', 'fail')
end

local function follow_with_webhooks(item, noted, ended, status)
  local fine, webhooks = pcall(cjson.decode, noted.webhooks or '[]')
  if not fine or type(webhooks) ~= 'table' then return end
  for number, webhook in ipairs(webhooks) do
    if type(webhook) == 'table' and webhook.job_status == status and type(webhook.url) == 'string' then
      local told = {kind = 'webhook', webhook = webhook, status = status, enqueued_at = noted.enqueued_at,
        ended_at = text(ended), description = noted.description}
      add_follow_up(item, 'webhook' .. number, 'webhook ' .. number .. ' of job ' .. item.job_id,
        math.min(tonumber(webhook.timeout) or 10, 3600) + 30, told, 'retries_left', 8,
        'retry_intervals', webhook_waits, 'retry_rules', webhook_rules)
    end
  end
end

local function follow_up(item, noted, ended)
  if string.find(item.follow, 'callback', 1, true) and (item.to == 'failed' or item.to == 'stopped') then
    follow_with_callback(item, noted)
  end
  if string.find(item.follow, 'webhooks', 1, true) then
    follow_with_webhooks(item, noted, ended, item.event == 'repeat' and 'finished' or item.to)
  end
end

--! Count the jobs of queues, by where they are, and what happened to them. Changes nothing.
--! keys: queue, lease, scheduled, deferred, finished, failed, canceled, broken, workers_of, paused, totals, job
--! each: queue
--! include: _clock, _lenient
--! returns: for each queue since when its next job waits or '', until when it is paused or '', what happened to its jobs as
--!   (event, how often), then how many jobs are in each place and how many workers it has; '' where that can't be told
local events = {'enqueue', 'claim', 'succeed', 'fail', 'retry', 'repeat', 'stop', 'release', 'recover', 'cancel',
  'requeue', 'delete', 'forward', 'expire', 'move'}

local function since_of(queue)
  local id = (lenient('LRANGE', queue_key(queue), 0, 0) or {})[1]
  return id and (lenient('HMGET', job_key(id), 'enqueued_at') or {})[1] or ''
end

local function paused_until(queue)
  local moment = lenient('ZSCORE', paused_key(), queue) or ''
  return (tonumber(moment) or 0) > now and moment or ''
end

local function totals_of(queue)
  local fields, told = {}, {}
  for i, event in ipairs(events) do fields[i] = event .. ':' .. queue end
  local found = lenient('HMGET', totals_key(), unpack(fields)) or {}
  for i, event in ipairs(events) do
    told[2 * i - 1], told[2 * i] = event, tonumber(found[i] or '') or 0
  end
  return told
end

local function row_of(queue)
  return {since_of(queue), paused_until(queue), totals_of(queue),
    lenient('LLEN', queue_key(queue)) or '',
    lenient('ZCARD', lease_key(queue)) or '',
    lenient('ZCARD', scheduled_key(queue)) or '',
    lenient('ZCARD', deferred_key(queue)) or '',
    lenient('ZCARD', finished_key(queue)) or '',
    lenient('ZCARD', failed_key(queue)) or '',
    lenient('ZCARD', canceled_key(queue)) or '',
    lenient('LLEN', broken_key(queue)) or '',
    lenient('SCARD', workers_of_key(queue)) or ''}
end

local rows = {}
for item in items() do rows[#rows + 1] = row_of(item.queue) end
return rows

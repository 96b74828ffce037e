--! keys: queue, totals, job
--! include: _moment, _lenient
-- What a chart shows of a queue, at `moment`; nil for what can't be told.
local function row_of(queue, moment)
  local row = {queued = lenient('LLEN', queue_key(queue)), counts = {}}
  local fields = {}
  for i, event in ipairs({'enqueue:', 'succeed:', 'fail:', 'retry:', 'repeat:', 'claim:'}) do fields[i] = event .. queue end
  local found = lenient('HMGET', totals_key(), unpack(fields)) or {}
  for i = 1, 6 do row.counts[i] = tonumber(found[i] or '') or 0 end
  row.counts[2] = row.counts[2] + row.counts[5]
  row.rank = row.counts[1] + row.counts[6] + (row.queued or 0)
  row.oldest = row.queued == 0 and 0 or nil
  if (row.queued or 0) > 0 then
    local next_id = lenient('LRANGE', queue_key(queue), 0, 0)[1]
    local since = moment_of((lenient('HMGET', job_key(next_id), 'enqueued_at') or {})[1] or '')
    row.oldest = since and math.max(0, moment - since)
  end
  return row
end

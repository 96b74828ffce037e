--! events: stop, succeed
-- A person's request to stop an execution holds against all that would have its job run again: its end
-- may have been on its way when the request came. `item` is then a stop; a success stays a success.
local stopped_entry = 3  -- RQ's number for a run that was stopped

local function heed_stop(item, requested)
  if requested ~= item.execution_id or item.to == 'finished' then return end
  if item.event == 'fail' and item.to == 'failed' then return end
  if item.event == 'repeat' then  -- the last of its runs, then
    item.event, item.to = 'succeed', after('succeed', 'started')
    return
  end
  item.event, item.to = 'stop', after('stop', 'started')
  if item.entry[1] == 'type' then item.entry[2] = stopped_entry end
end

--! Make the jobs of cron entries that are due, each slot's once: only while an entry's next slot is the one that was
--! read, and not edited since. Without a `version` a person wants the job now.
--! keys: cron_due, cron_entry, cron_jobs, cron_history, job
--! events: enqueue, cancel, release
--! each: name, version, slot, next_slot, next_due, ids..., slots...
--! include: _clock, _push, _end_execution, _make_room, _waiting, _limit, _move_on, _children, _group, _tags, _set_aside, _tally
--! returns: for each entry how many jobs were made and how many slots passed over because of others, as 1:0; 'past'
--!   where somebody was faster, 'gone' where there is none; then a row for each that was broken
local kept_in_history, a_year, again_after = 1000, 31536000, 30
local replies = {}

-- An entry's own fields, and those of its jobs.
local function read(name)
  local known, fields, all = {}, {}, redis.call('HGETALL', cron_entry_key(name))
  for i = 1, #all, 2 do
    local field = string.match(all[i], '^job%.(.+)$')
    if field then
      fields[#fields + 1], fields[#fields + 2] = field, all[i + 1]
    else
      known[all[i]] = all[i + 1]
    end
  end
  return known, fields
end

-- Its jobs that have not ended, and whether one of them has not begun.
local function unended(known)
  local live, waits = {}, false
  for id in string.gmatch(known.live or '', '%S+') do
    local status = lenient('HGET', job_key(id), 'status')
    if status and after('cancel', status) then
      live[#live + 1] = id
      waits = waits or not after('release', status)
    end
  end
  return live, waits
end

local function make(name, known, fields, id, slot)
  if make_room({job_id = id, token = '', queue = known.queue}, 'enqueue') then return false end
  local job = job_key(id)
  if known.tags then note_tags(known.tags, id) end
  if known.group then join_group(known.group, id) end
  redis.call('HSET', job, 'created_at', text(now), 'cron', name, 'slot', slot, unpack(fields))
  if tonumber(known.ttl or '') then redis.call('EXPIRE', job, known.ttl) end
  move_on(id, known.queue, known.at_front == '1')
  tally('enqueue', known.queue)
  return true
end

local function note_history(name, id)
  lenient('ZADD', cron_history_key(name), score(now), id)
  lenient('ZREMRANGEBYRANK', cron_history_key(name), 0, -kept_in_history - 1)
  redis.call('EXPIRE', cron_history_key(name), a_year)
  lenient('ZADD', cron_jobs_key(), score(now), name)
end

local function fire(item)
  local entry = cron_entry_key(item.name)
  local known, fields = read(item.name)
  if not known.version then return 'gone' end
  local by_hand = item.version == ''
  if not by_hand and (known.version ~= item.version or known.slot ~= item.slot) then return 'past' end
  redis.call('LLEN', queue_key(known.queue))  -- no list: the entry waits as it is
  if not by_hand then redis.call('HSET', entry, 'slot', item.next_slot) end
  local made, passed, left = 0, 0, tonumber(known.times_left or '')
  local live, waits = unended(known)
  local last = {known.last_job or '', known.last_slot or ''}
  for i, id in ipairs(item.ids) do
    local blocked = known.overlap == 'skip' and #live > 0 or known.overlap == 'queue' and waits
    if left and left <= 0 and not by_hand then
      break
    elseif blocked and not by_hand then
      passed = passed + 1
    else
      local fine, reply = pcall(make, item.name, known, fields, id, item.slots[i])
      if not fine then set_aside(known.queue, id, reply) end
      if fine and reply then
        made, left = made + 1, left and not by_hand and left - 1 or left
        live[#live + 1], waits, last[1] = id, true, id
        note_history(item.name, id)
      end
    end
    if not by_hand then last[2] = item.slots[i] end
  end
  if known.overlap == 'allow' then live = {} end
  if not by_hand and left and left <= 0 then item.next_slot, item.next_due = '', 'inf' end
  redis.call('HSET', entry, 'live', table.concat(live, ' '), 'last_job', last[1], 'last_slot', last[2])
  if made > 0 then redis.call('HSET', entry, 'last_at', text(now)) end
  redis.call('HINCRBY', entry, 'fired', made)
  redis.call('HINCRBY', entry, 'skipped', passed)
  if left then redis.call('HSET', entry, 'times_left', left) end
  if not by_hand then
    redis.call('HSET', entry, 'slot', item.next_slot)
    redis.call('ZADD', cron_due_key(), item.next_due, item.name)
  end
  return made .. ':' .. passed
end

for item in items() do
  local fine, reply = pcall(fire, item)
  if not fine then
    note_broken('cron entry ' .. item.name, '', reply)
    redis.call('ZADD', cron_due_key(), score(now + again_after), item.name)
  end
  replies[#replies + 1] = fine and reply or 'broken'
end
write_tallies()
return with_broken(replies)

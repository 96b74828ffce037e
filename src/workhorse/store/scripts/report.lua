--! Note what a running job tells of itself: how far it is, and lines of its log. Only of the run that holds the job.
--! keys: job, log
--! events: release
--! args: job_id, execution_id, writer, number, progress, kept, ttl
--! each: age, source, level, text
--! include: _clock, _lenient
--! returns: 1 once it is noted (by an earlier sending, too); 0 if the job is gone, has ended, or is another run's
local job, log = job_key(job_id), log_key(job_id)
local known = lenient('HMGET', job, 'status', 'execution_id', 'reported') or {}
if not known[1] or not after('release', known[1]) or known[2] ~= execution_id then return 0 end
local run, last_writer, last = string.match(known[3] or '', '^(.*):(.*):(%d+)$')
if run == execution_id and last_writer == writer and tonumber(last) >= tonumber(number) then return 1 end

local function add(age, source, level, line)
  return redis.pcall('XADD', log, 'MAXLEN', kept, '*', 'at', score(now - age), 'source', source, 'level', level,
    'text', line)
end

local function must_add(...)
  local reply = add(...)
  if type(reply) == 'table' and reply.err then
    if not string.find(reply.err, 'WRONGTYPE', 1, true) and not string.find(reply.err, ' stream', 1, true) then
      error(reply.err, 0)
    end
    redis.call('DEL', log)  -- no stream, or one that is full: nobody can read it
    add(...)
  end
end

local lines = 0
if run and run ~= execution_id and redis.call('EXISTS', log) == 1 then must_add(0, 'run', '', execution_id) end
for item in items() do
  must_add(item.age, item.source, item.level, item.text)
  lines = lines + 1
end
if lines > 0 then redis.call('EXPIRE', log, ttl) end
redis.call('HSET', job, 'reported', execution_id .. ':' .. writer .. ':' .. number)
if progress ~= '' then
  redis.call('HSET', job, 'progress', string.sub(progress, 1, -2) .. ',"at":' .. score(now) .. '}')
end
return 1

--! keys: broken
-- Bad data stops nobody. An id that can't be handled is set aside in the list `broken` of its queue, newest first,
-- and told in the reply: a row (queue, id, reason), without an id where the whole queue is concerned.
local broken = {}
local kept_aside, longest_id = 1000, 1000

local function note_broken(queue, id, problem)
  local reason = type(problem) == 'table' and problem.err or tostring(problem)
  -- What the server refuses for its own sake is no fault of the data: the whole call fails, and is sent again later.
  for _, words in ipairs({'OOM ', 'READONLY ', 'MISCONF ', 'NOREPLICAS ', 'NOPERM ', 'ACL failure', "can't run this command",
    'nknown command', 'nknown Redis command', 'Script killed'}) do
    if string.find(reason, words, 1, true) then error(reason, 0) end
  end
  broken[#broken + 1] = {queue, id, reason}
end

local function set_aside(queue, id, problem)
  local kept = #id > longest_id and string.sub(id, 1, longest_id) .. '...' or id
  note_broken(queue, kept, problem)
  if type(redis.pcall('LPUSH', broken_key(queue), kept)) == 'table' then
    redis.call('DEL', broken_key(queue))
    redis.call('LPUSH', broken_key(queue), kept)
  end
  redis.call('LTRIM', broken_key(queue), 0, kept_aside - 1)
end

local function is_utf8(word)
  local rest = word
  for _, form in ipairs({'[\194-\223]', '\224[\160-\191]', '[\225-\236\238\239][\128-\191]', '\237[\128-\159]',
    '\240[\144-\191][\128-\191]', '[\241-\243][\128-\191][\128-\191]', '\244[\128-\143][\128-\191]'}) do
    rest = string.gsub(rest, form .. '[\128-\191]', ' ')
  end
  return not string.find(rest, '[\128-\255]')
end

-- Why no client can have made a job with this id; nothing if one can.
local function oddity_of(id)
  if #id > longest_id then return string.format('an id of %d bytes', #id) end
  if string.find(id, '[\128-\255]') and not is_utf8(id) then return 'an id that is not UTF-8' end
end

-- The replies for all items, and the rows of those that were broken.
local function with_broken(all)
  for _, row in ipairs(broken) do all[#all + 1] = row end
  return all
end

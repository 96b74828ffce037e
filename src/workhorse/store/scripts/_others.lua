-- What a few jobs need, for scripts that most jobs go through: it is defined once the first job of a call needs it,
-- because that takes as long as all that is done for a job that does not.
local defined
local function others()
  if defined then return defined end
--! later
--! include: _waiting, _lenient, _set_aside, _limit, _move_on, _children, _telling, _defer, _group, _follow_up, _causes, _tags
--! now
  defined = {
    leave_limit = leave_limit, move_on = move_on, tell_children = tell_children, defer = defer,
    is_awaited_by = is_awaited_by, join_group = join_group, with_broken = with_broken, check_limit = check_limit,
    limit_of_expired = limit_of_expired, noted_for_followers = noted_for_followers, follow_up = follow_up, note_cause = note_cause,
    note_tags = note_tags,
  }
  return defined
end

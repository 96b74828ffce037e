--! Have nobody take jobs from a queue, for `seconds`, or until it is resumed where they are ''. Running jobs go on.
--! keys: paused, queues, queue
--! args: name, seconds
--! include: _clock
--! returns: 1 if it was not paused
redis.call('ZREMRANGEBYSCORE', paused_key(), '-inf', score(now))  -- first: those that are over; a removal needs no memory
redis.call('SADD', queues_key(), queue_key(name))
return redis.call('ZADD', paused_key(), seconds == '' and '+inf' or score(now + seconds), name)

-- How many milliseconds it is until the next lease runs out, or nothing.
local next = redis.call('ZRANGEBYSCORE', LEASES, '(' .. whole(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return next[2] and tonumber(next[2]) - now

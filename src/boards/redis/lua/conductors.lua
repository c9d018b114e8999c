-- For each conductor its id, when it was last seen, and what it tells.
local there = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', PRESENT, '(' .. whole(now), '+inf')) do
  there[#there + 1] = { id, whole(redis.call('ZSCORE', SEEN, id) or 0), redis.call('HGET', CONDUCTORS, id) or '' }
end
return there

-- ARGV: id, keep, what it tells. Those that were not seen for too long are forgotten.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', PRESENT, '-inf', whole(now), 'LIMIT', 0, REAPED)) do
  unregister(id)
end
redis.call('HSET', CONDUCTORS, ARGV[1], ARGV[3])
redis.call('ZADD', SEEN, whole(now), ARGV[1])
redis.call('ZADD', PRESENT, whole(now + ARGV[2]), ARGV[1])
return 1

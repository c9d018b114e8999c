-- ARGV: requirements that cannot be read. What was set aside: all that is ready and requires this.
if lost() then
  return redis.error_reply(LOST)
end
for _, job in ipairs(redis.call('ZRANGE', queue(ARGV[1]), 0, -1)) do
  set_aside(job)
end
redis.call('DEL', queue(ARGV[1]))
redis.call('SREM', QUEUES, ARGV[1])
return aside

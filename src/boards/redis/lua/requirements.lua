-- What the ready jobs require, each once, and what was set aside.
if lost() then
  return redis.error_reply(LOST)
end
reap()
return { redis.call('SMEMBERS', QUEUES), aside }

-- ARGV: who, job. The pulse if `who` held it, else nothing.
local who, job = ARGV[1], ARGV[2]
if redis.call('HGET', HOLDERS, job) ~= who then
  return false
end
local _, requires = read(job)
redis.call('HDEL', HOLDERS, job)
redis.call('HDEL', JOBS, job)
redis.call('ZREM', ORDER, job)
if redis.call('ZREM', LEASES, job) == 0 and requires then
  dequeue(job, requires)
end
return beat()

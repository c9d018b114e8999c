-- ARGV: who, job. The pulse if `who` held it, else nothing.
local who, job = ARGV[1], ARGV[2]
if redis.call('HGET', HOLDERS, job) ~= who then
  return false
end
redis.call('HDEL', HOLDERS, job)
redis.call('ZREM', LEASES, job)
local place, requires = read(job)
if place then
  enqueue(job, place, requires)
end
return beat()

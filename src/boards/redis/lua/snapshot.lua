-- ARGV: limit. For each job its id, its record, and either who holds it and until when, or nothing.
local found = {}
for _, job in ipairs(redis.call('ZRANGE', ORDER, 0, ARGV[1] - 1)) do
  local ends = redis.call('ZSCORE', LEASES, job)
  local holder = ends and redis.call('HGET', HOLDERS, job)
  found[#found + 1] = { job, redis.call('HGET', JOBS, job), holder or '', ends or '' }
end
return found

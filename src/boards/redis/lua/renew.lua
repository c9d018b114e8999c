-- ARGV: who, ttl, then jobs. Those of them that it still holds.
local held = {}
for from = 3, #ARGV, REAPED do
  local to = math.min(from + REAPED - 1, #ARGV)
  local holders = redis.call('HMGET', HOLDERS, unpack(ARGV, from, to))
  for i, holder in ipairs(holders) do
    local job = ARGV[from + i - 1]
    if holder == ARGV[1] then
      if redis.call('ZADD', LEASES, whole(now + ARGV[2]), job) == 1 then
        -- It had run out, and nobody else has claimed it.
        local _, requires = read(job)
        if requires then
          dequeue(job, requires)
        end
      end
      held[#held + 1] = job
    end
  end
end
return held

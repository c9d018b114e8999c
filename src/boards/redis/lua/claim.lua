-- ARGV: who, ttl, how many at most, then the requirements that it meets. Each job with whether its lease had run out,
-- and what was set aside.
if lost() then
  return redis.error_reply(LOST)
end
reap()

-- The first job of a queue. What stands there and cannot be read is set aside.
local function first(requires)
  while true do
    local head = redis.call('ZRANGE', queue(requires), 0, 0, 'WITHSCORES')
    local job = head[1]
    if not job then
      redis.call('SREM', QUEUES, requires)
      return nil
    end
    local place, required = read(job)
    if place and required == requires and tonumber(place) == tonumber(head[2]) then
      return job, tonumber(place)
    end
    set_aside(job)
    redis.call('ZREM', queue(requires), job)
  end
end

local claimed = {}
while #claimed < tonumber(ARGV[3]) do
  local job, from, lowest
  for i = 4, #ARGV do
    local candidate, place = first(ARGV[i])
    if candidate and (not lowest or place < lowest) then
      job, from, lowest = candidate, ARGV[i], place
    end
  end
  if not job then
    break
  end
  claimed[#claimed + 1] = { job, redis.call('HEXISTS', HOLDERS, job) }
  dequeue(job, from)
  lease(job, ARGV[1], ARGV[2])
end
return { claimed, aside }

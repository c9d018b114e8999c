-- ARGV: ttl, then for each job its id, its priority, what it requires, and its owner or ''. How many of them were not
-- there or stood where nobody looks, and what was set aside.
local posted, ready = 0, false
local filling = lost()

-- A job that is known is leased or ready. What somebody else has made of it is not to be waited for for ever.
local function put_right(job)
  if redis.call('HEXISTS', JOBS, job) == 0 or redis.call('ZSCORE', LEASES, job) then
    return false
  end
  local place, requires = read(job)
  if not place then
    set_aside(job)
    return false
  end
  local was_there = redis.call('ZSCORE', queue(requires), job)
  local was_named = redis.call('SADD', QUEUES, requires) == 0
  enqueue(job, place, requires)
  return not (was_there and was_named)
end

for i = 2, #ARGV, 4 do
  local job, owner = ARGV[i], ARGV[i + 3]
  if put_right(job) then
    posted, ready = posted + 1, true
  end
  if post(job, ARGV[i + 1], ARGV[i + 2], owner, ARGV[1]) then
    posted = posted + 1
    ready = ready or owner == ''
  elseif filling and owner ~= '' then
    -- It is known from before the loss, or somebody has asked something of it since. Whose it is the store knows; and
    -- the owner may have renewed it since what is known here was written.
    lease(job, owner, ARGV[1])
    local _, requires = read(job)
    if requires then
      dequeue(job, requires)
    end
  end
end
if ready then
  beat()
end
return { posted, aside }

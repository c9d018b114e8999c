-- ARGV: ttl, then for each job its id, its priority, what it requires, and its owner or ''. How many of them were not
-- there.
local posted, ready = 0, false
local filling = lost()
for i = 2, #ARGV, 4 do
  local job, owner = ARGV[i], ARGV[i + 3]
  if post(job, ARGV[i + 1], ARGV[i + 2], owner, ARGV[1]) then
    posted = posted + 1
    ready = ready or owner == ''
  elseif filling and owner ~= '' and redis.call('HGET', HOLDERS, job) ~= owner then
    -- It is known from before the loss, or somebody has asked something of it since. Whose it is the store knows.
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
return posted

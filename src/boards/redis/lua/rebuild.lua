-- ARGV: what, who, ttl. 0: there is nothing to be filled. 1: `who` fills the board. 2: somebody else does.
local what, who = ARGV[1], ARGV[2]
if not lost() then
  return 0
end
local by = redis.call('GET', REBUILD)
if by and by ~= who then
  return 2
end
if what == 'begin' then
  redis.call('SET', REBUILD, who, 'PX', ARGV[3])
elseif not by then
  return 2
elseif what == 'extend' then
  redis.call('PEXPIRE', REBUILD, ARGV[3])
else
  redis.call('DEL', REBUILD)
  redis.call('SET', GENERATION, whole(now) .. ' ' .. who)
  beat()
end
return 1

-- ARGV: the run of the server. Another one than before may not have all that was said to the other: its data are those of
-- some time ago, or of a replica. Then the board counts as lost, although there is something on it.
if redis.call('GET', SERVER) ~= ARGV[1] then
  redis.call('SET', SERVER, ARGV[1])
  redis.call('DEL', GENERATION)
end
return redis.call('GET', PULSE) or '0'

-- ARGV: job, priority, requires, who or '', ttl. The pulse if it was not there, else nothing.
if post(ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]) then
  return beat()
end
return false

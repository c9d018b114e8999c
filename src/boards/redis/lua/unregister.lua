-- ARGV: id.
unregister(ARGV[1])
return 1

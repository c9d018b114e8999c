-- The pulse.
return redis.call('GET', PULSE) or '0'

-- Tries each command that the scripts use, on a key of its own. What the server says against one, or nothing.
local probe = board .. ':probe'
local commands = {
  { 'SET', probe, '1', 'PX', '1000' }, { 'GET', probe }, { 'INCR', probe }, { 'EXISTS', probe },
  { 'PEXPIRE', probe, '1000' }, { 'DEL', probe },
  { 'HSET', probe, 'a', '1' }, { 'HGET', probe, 'a' }, { 'HMGET', probe, 'a' }, { 'HEXISTS', probe, 'a' },
  { 'HDEL', probe, 'a' },
  { 'SADD', probe, 'a' }, { 'SMEMBERS', probe }, { 'SREM', probe, 'a' },
  { 'ZADD', probe, '1', 'a' }, { 'ZSCORE', probe, 'a' }, { 'ZRANGE', probe, '0', '0' },
  { 'ZRANGEBYSCORE', probe, '-inf', '0' }, { 'ZREM', probe, 'a' },
  { 'PUBLISH', board .. ':probe', '' },
}
for _, command in ipairs(commands) do
  local answer = redis.pcall(unpack(command))
  if type(answer) == 'table' and answer.err then
    return { command[1], answer.err }
  end
end
return {}

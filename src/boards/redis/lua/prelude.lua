-- Stands before every script. KEYS[1] is the board; all that belongs to it begins with that text, which has a hash
-- tag in it, so that one slot of a cluster holds it all. Time is the server's.
--
--   jobs        hash   job -> "<place> <requires>"; the form of version 1, which is part of the keys' names
--   holders     hash   job -> who holds it, or held it when its lease ran out
--   leases      zset   job by when its lease ends, in milliseconds
--   order       zset   job by place: all jobs
--   queues      set    the `requires` of which there are ready jobs
--   queue:R     zset   job by place: the ready jobs that require R
--   unreadable  hash   what was set aside -> what stood there
--   generation  text   not there: what was on the board is lost
--   rebuild     text   who fills it
--   server      text   the run of the server that all this was said to
--   conductors  hash   conductor -> what it tells of itself
--   seen        zset   conductor by when it told it
--   present     zset   conductor by when it is to be forgotten
--   count       int    jobs that were ever posted
--   pulse       int    rises with all that those who wait have to hear of; the channel of the same name tells of it
--
-- A place is the priority, then the count: the lowest is claimed first.

local board = KEYS[1]
local JOBS, HOLDERS, LEASES = board .. ':jobs', board .. ':holders', board .. ':leases'
local ORDER, QUEUES, UNREADABLE = board .. ':order', board .. ':queues', board .. ':unreadable'
local GENERATION, REBUILD, SERVER = board .. ':generation', board .. ':rebuild', board .. ':server'
local CONDUCTORS, SEEN, PRESENT = board .. ':conductors', board .. ':seen', board .. ':present'
local COUNT, PULSE = board .. ':count', board .. ':pulse'

local PRIORITY = 2 ^ 50 -- how far the places of two priorities lie apart
local REAPED = 1000     -- leases that one call may find to have run out

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Numbers in full: beyond 2^46 Lua's own text is rounded.
local function whole(number)
  return string.format('%.0f', number)
end

local function queue(requires)
  return board .. ':queue:' .. requires
end

-- Tells those who wait. After the loss of all keys it is greater than before, too.
local function beat()
  local pulse = redis.call('INCR', PULSE)
  if pulse == 1 then
    pulse = now
    redis.call('SET', PULSE, whole(pulse))
  end
  redis.call('PUBLISH', PULSE, whole(pulse))
  return whole(pulse)
end

local function hex(n)
  return string.rep('%x', n)
end
local UUID = '^' .. table.concat({ hex(8), hex(4), hex(4), hex(4), hex(12) }, '%-') .. '$'

-- The place and the requirements of a job; nothing if that cannot be read.
local function read(job)
  local record = redis.call('HGET', JOBS, job)
  if not record or not string.match(job, UUID) then
    return nil
  end
  return string.match(record, '^(%d+) (.+)$')
end

local function enqueue(job, place, requires)
  redis.call('ZADD', queue(requires), place, job)
  redis.call('SADD', QUEUES, requires)
end

local function dequeue(job, requires)
  redis.call('ZREM', queue(requires), job)
  if redis.call('EXISTS', queue(requires)) == 0 then
    redis.call('SREM', QUEUES, requires)
  end
end

-- Keeps what cannot be read where nobody stumbles over it.
local aside = {}
local function set_aside(job)
  local record = redis.call('HGET', JOBS, job)
  redis.call('HSET', UNREADABLE, job, record or '')
  redis.call('HDEL', JOBS, job)
  redis.call('HDEL', HOLDERS, job)
  redis.call('ZREM', LEASES, job)
  redis.call('ZREM', ORDER, job)
  aside[#aside + 1] = job
end

-- Makes jobs whose leases have run out ready. Their holders are remembered, and can still renew until somebody else
-- claims.
local function reap()
  for _, job in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', whole(now), 'LIMIT', 0, REAPED)) do
    local place, requires = read(job)
    if place then
      redis.call('ZREM', LEASES, job)
      enqueue(job, place, requires)
    else
      set_aside(job)
    end
  end
end

local function lease(job, who, ttl)
  redis.call('HSET', HOLDERS, job, who)
  redis.call('ZADD', LEASES, whole(now + ttl), job)
end

-- Posts a job, leased if `who` is not empty; whether it was not there.
local function post(job, priority, requires, who, ttl)
  if redis.call('HEXISTS', JOBS, job) == 1 then
    return false
  end
  local place = whole(priority * PRIORITY + redis.call('INCR', COUNT))
  redis.call('HSET', JOBS, job, place .. ' ' .. requires)
  redis.call('ZADD', ORDER, place, job)
  if who == '' then
    enqueue(job, place, requires)
  else
    lease(job, who, ttl)
  end
  return true
end

local function unregister(conductor)
  redis.call('HDEL', CONDUCTORS, conductor)
  redis.call('ZREM', SEEN, conductor)
  redis.call('ZREM', PRESENT, conductor)
end

local LOST = 'LOST what was on the board'
local function lost()
  return redis.call('EXISTS', GENERATION) == 0
end

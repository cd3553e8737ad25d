#!lua
-- Asks one bucket, and charges it where it allows it.
--
-- KEYS[1]  the bucket's HASH: `t` when it will have drained (ms)
-- ARGV     1 now (ms)   2 refill (ms)   3 window (ms)   4 ms that clocks may differ
-- Reply    {1 allowed or 0, `t`}
--
-- What is refused costs nothing and prolongs nothing. A repeat charges once more. The key lives until
-- its bucket has drained, by this server's clock. A key of another type gives way.
local now, refill, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local skew = tonumber(ARGV[4])

local stored = redis.pcall('HGET', KEYS[1], 't')
if type(stored) == 'table' and stored.err then
    if not string.find(stored.err, 'WRONGTYPE', 1, true) then
        return stored
    end
    redis.call('UNLINK', KEYS[1])
    stored = false
end
local before = 0
if stored and #stored <= 15 and string.match(stored, '^%d+$') then
    before = tonumber(stored)
end

local tat = before
if tat > now + window + skew then
    tat = now + window
end
local charged = math.max(tat, now) + refill
local allowed = charged <= now + window
if allowed then
    tat = charged
end
if tat ~= before then
    local time = redis.call('TIME')
    local ms = time[1] * 1000 + math.floor(time[2] / 1000)
    redis.call('HSET', KEYS[1], 't', string.format('%.0f', tat))
    redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', ms + math.max(tat - now, 0) + skew))
end
return { allowed and 1 or 0, tat }

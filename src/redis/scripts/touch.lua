-- Notes that a session was used.
--
-- KEYS[1]  the user's HASH
-- ARGV     1 id (32 bytes)   2 seen (ms)   3 expires (ms)
-- Reply    1, or 0 where the session no longer exists or is superseded
--
-- An ended session is never revived. Of two touches that cross, the later one stands. A time that is
-- no number counts as none, and gives way.
local record = redis.call('HGET', KEYS[1], 's:' .. ARGV[1])
if not record or string.match(record, '^1 %d+ %d+ %d+ 2 ') then
    return 0
end
local field = 't:' .. ARGV[1]
local seen = tonumber(redis.call('HGET', KEYS[1], field) or '') or 0
if seen < tonumber(ARGV[2]) then
    redis.call('HSET', KEYS[1], field, ARGV[2])
    redis.call('PEXPIREAT', KEYS[1], ARGV[3], 'GT')
end
return 1

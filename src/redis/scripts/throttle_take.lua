-- Asks one bucket, and charges it where it allows it.
--
-- KEYS[1]  the bucket's HASH: `t` when it will have drained (ms)
-- ARGV     1 now (ms)   2 refill (ms)   3 window (ms)   4 ms that clocks may differ
-- Reply    {1 allowed or 0, `t`}
--
-- What is refused costs nothing and prolongs nothing. A repeat charges once more. The key lives until
-- its bucket has drained, by this server's clock. A key of another type gives way.
local before = number(read('HGET', KEYS[1], 't'))
local allowed, tat = ask(before, tonumber(ARGV[2]), tonumber(ARGV[3]))
if tat ~= before then
    redis.call('HSET', KEYS[1], 't', text(tat))
    keep(KEYS[1], tat)
end
return { allowed and 1 or 0, tat }

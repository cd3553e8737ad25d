-- Takes back what an attempt cost that was looked at by nobody.
--
-- KEYS[1]  the account's HASH: `t` when its bucket will have drained (ms), `f` failures in a row,
--          `e` when they are forgotten (ms)
-- KEYS[2]  the address's HASH: `t`
-- KEYS[3]  the account's known devices, a HASH: digest -> `<end> <t> <failures>`
-- ARGV     1 now (ms)   2 device (32 bytes) where it was known, else empty
--          3 refill of an account, 4 that of an address   5 most failures   6 ms that each is
--          remembered   7 ms that clocks may differ
-- Reply    1
--
-- An account that a success has emptied meanwhile, and one that failed too often, stay as they are. A
-- repeat gives one more back, and never more than the burst.
local most = tonumber(ARGV[5])

if ARGV[2] ~= '' then
    local ends, tat, failures =
        string.match(read('HGET', KEYS[3], ARGV[2]) or '', '^(%d+) (%d+) (%d+)$')
    if number(ends) > now then
        tat = math.max(number(tat) - tonumber(ARGV[3]), 0)
        failures = math.max(number(failures) - 1, 0)
        redis.call('HSET', KEYS[3], ARGV[2], ends .. ' ' .. text(tat) .. ' ' .. text(failures))
    end
    return 1
end

local account = read('HMGET', KEYS[1], 't', 'f', 'e') or {}
local failures, forget = number(account[2]), number(account[3])
if forget > now and failures > 0 and failures < most then
    local tat = math.max(number(account[1]) - tonumber(ARGV[3]), 0)
    failures = failures - 1
    forget = now + failures * tonumber(ARGV[6])
    redis.call('HSET', KEYS[1], 't', text(tat), 'f', text(failures), 'e', text(forget))
    keep(KEYS[1], math.max(tat, forget))
end
local address = read('HGET', KEYS[2], 't')
if address then
    local tat = math.max(number(address) - tonumber(ARGV[4]), 0)
    redis.call('HSET', KEYS[2], 't', text(tat))
    keep(KEYS[2], tat)
end
return 1

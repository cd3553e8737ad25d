-- Asks the bucket of an account and that of an address; charges both where both allow it, and counts a
-- failure for the account. A device that the account knows has a bucket in the place of both.
--
-- KEYS[1]  the account's HASH: `t` when its bucket will have drained (ms), `f` failures in a row,
--          `e` when they are forgotten (ms)
-- KEYS[2]  the address's HASH: `t`
-- KEYS[3]  the account's known devices, a HASH: digest -> `<end> <t> <failures>`
-- ARGV     1 now (ms)   2 device (32 bytes, or empty)
--          3 refill of an account, 4 its window   5 refill where it failed too often
--          6 refill of an address, 7 its window   8 most failures   9 ms that each is remembered
--          10 ms that clocks may differ
-- Reply    {1 allowed or 0, 1 known device or 0, 1 failed too often or 0, `t` of the account or the
--          device, `t` of the address}
--
-- Both are charged, or neither: what is refused costs nothing and prolongs nothing. The same rules are
-- in src/throttle/rules.rs. A repeat charges once more. A number that cannot be read counts as none.
-- Keys live until nothing is left to remember, by this server's clock.
local refill, window, slow = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local most = tonumber(ARGV[8])

local account = read('HMGET', KEYS[1], 't', 'f', 'e') or {}
local forget, failures = number(account[3]), 0
if forget > now then
    failures = number(account[2])
end

-- A device that failed too often is a stranger.
local before, known = number(account[1]), false
local ends, device_tat, device_failures
if ARGV[2] ~= '' then
    ends, device_tat, device_failures =
        string.match(read('HGET', KEYS[3], ARGV[2]) or '', '^(%d+) (%d+) (%d+)$')
    known = number(ends) > now and number(device_failures) < most
end

local many = not known and failures >= most
if known then
    before = number(device_tat)
elseif many then
    refill, window = slow, slow
end
local address_before = number(read('HGET', KEYS[2], 't'))
local own_allows, own = ask(before, refill, window)
-- Whoever shares an address with an attacker is not kept out where the account knows the device.
local address_allows, address = true, address_before
if not known then
    address_allows, address = ask(address_before, tonumber(ARGV[6]), tonumber(ARGV[7]))
end
local allowed = own_allows and address_allows
if own_allows and not allowed then
    own = before
end
if address_allows and not allowed then
    address = address_before
end

if known then
    if allowed or own ~= before then
        local failed = number(device_failures) + (allowed and 1 or 0)
        redis.call('HSET', KEYS[3], ARGV[2], ends .. ' ' .. text(own) .. ' ' .. text(failed))
    end
elseif allowed then
    failures = math.min(failures + 1, most)
    if failures == most then
        -- The first hour begins.
        many, own = true, now + slow
    end
    forget = now + failures * tonumber(ARGV[9])
    redis.call('HSET', KEYS[1], 't', text(own), 'f', text(failures), 'e', text(forget))
    keep(KEYS[1], math.max(own, forget))
elseif own ~= before then
    redis.call('HSET', KEYS[1], 't', text(own))
    keep(KEYS[1], math.max(own, forget))
end
if address ~= address_before then
    redis.call('HSET', KEYS[2], 't', text(address))
    keep(KEYS[2], address)
end
return { allowed and 1 or 0, known and 1 or 0, many and 1 or 0, own, address }

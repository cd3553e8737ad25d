-- Empties the bucket of an account and of its device, gives the address back what it paid, and knows one
-- device more.
--
-- KEYS[1]  the account's HASH
-- KEYS[2]  the address's HASH: `t` when its bucket will have drained (ms)
-- KEYS[3]  the account's known devices, a HASH: digest -> `<end> <t> <failures>`
-- ARGV     1 now (ms)   2 device (32 bytes, or empty)   3 new device (32 bytes, or empty)
--          4 its end (ms)   5 most devices   6 refill of an address   7 1 where the attempt was
--          charged to the address, else 0   8 ms that clocks may differ
-- Reply    1
--
-- A repeat gives the address one more back, and never more than its burst: an empty bucket stays one.
-- Over the bound the device goes that ends first. The devices' key ends with the last of them.
redis.call('UNLINK', KEYS[1])

if ARGV[2] ~= '' then
    local ends = string.match(read('HGET', KEYS[3], ARGV[2]) or '', '^(%d+) ')
    if number(ends) > now then
        redis.call('HSET', KEYS[3], ARGV[2], ends .. ' 0 0')
    end
end

-- Only where it was paid into: whoever succeeds a lot would keep it open for guesses at others.
local stored = ARGV[7] == '1' and read('HGET', KEYS[2], 't')
if stored then
    local tat = math.max(number(stored) - tonumber(ARGV[6]), 0)
    redis.call('HSET', KEYS[2], 't', text(tat))
    keep(KEYS[2], tat)
end

if ARGV[3] ~= '' then
    local devices, living = read('HGETALL', KEYS[3]) or {}, {}
    for n = 1, #devices, 2 do
        local ends = number(string.match(devices[n + 1], '^(%d+) '))
        if ends <= now then
            redis.call('HDEL', KEYS[3], devices[n])
        elseif devices[n] ~= ARGV[3] then
            table.insert(living, { id = devices[n], ends = ends })
        end
    end
    table.sort(living, function(a, b)
        return a.ends < b.ends
    end)
    while #living >= tonumber(ARGV[5]) do
        redis.call('HDEL', KEYS[3], table.remove(living, 1).id)
    end
    local latest = tonumber(ARGV[4])
    for _, device in ipairs(living) do
        latest = math.max(latest, device.ends)
    end
    redis.call('HSET', KEYS[3], ARGV[3], ARGV[4] .. ' 0 0')
    keep(KEYS[3], latest)
end
return 1

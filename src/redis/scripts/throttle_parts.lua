-- What the scripts of the throttle share; it is put in front of each. In all of them ARGV[1] is now (ms),
-- and the last argument the ms that clocks may differ.
local now, skew = tonumber(ARGV[1]), tonumber(ARGV[#ARGV])

-- Whole numbers in at most 15 digits, which a double holds exactly.
local function number(text)
    if text and #text <= 15 and string.match(text, '^%d+$') then
        return tonumber(text)
    end
    return 0
end

local function text(value)
    return string.format('%.0f', value)
end

-- Until nothing is left to remember, by this server's clock.
local function keep(key, ends)
    local time = redis.call('TIME')
    local ms = time[1] * 1000 + math.floor(time[2] / 1000)
    redis.call('PEXPIREAT', key, text(ms + math.max(ends - now, 0) + skew))
end

-- False for a key of another type, which is none of ours and gives way.
local function read(command, key, ...)
    local reply = redis.pcall(command, key, ...)
    if type(reply) == 'table' and reply.err then
        if not string.find(reply.err, 'WRONGTYPE', 1, true) then
            error(reply)
        end
        redis.call('UNLINK', key)
        return false
    end
    return reply
end

-- Whether one more fits, and what the bucket then holds.
local function ask(tat, every, whole)
    if tat > now + whole + skew then
        tat = now + whole
    end
    local charged = math.max(tat, now) + every
    if charged <= now + whole then
        return true, charged
    end
    return false, tat
end

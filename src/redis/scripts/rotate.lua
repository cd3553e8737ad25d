-- Gives a living session a new id (a step-up): the old id finds a superseded record for some seconds.
--
-- KEYS[1]  the user's HASH
-- ARGV     1 old id (32 bytes)   2 new id (32 bytes)   3 authenticated at (ms)
--          4 now (ms)   5 idle (ms)   6 how long the old id lives on (ms)
-- Reply    the record and when it was last seen (ms, or empty where never); nil where the session is
--          unknown, dead or superseded
--
-- The handle, the data and the time of the last use stay. A repeat changes nothing more.
local old, new = ARGV[1], ARGV[2]
local now, idle = tonumber(ARGV[4]), tonumber(ARGV[5])
local all = load()
local done = all.sessions[new]
if not done then
    local session = all.sessions[old]
    if not session or session.mark == '2' then
        return nil
    end
    local ends = expiry(session, session.seen, idle)
    if ends <= now then
        return nil
    end
    local created, absolute, at, mark, rest =
        string.match(session.record, '^1 (%d+) (%d+) (%d+) (%d) (.*)$')
    local until_then = digits(math.min(ends, now + tonumber(ARGV[6])))
    local record = table.concat({ '1', created, absolute, ARGV[3], mark, rest }, ' ')
    redis.call('HSET', key, 's:' .. new, record)
    if session.seen then
        redis.call('HSET', key, 't:' .. new, digits(session.seen))
    end
    redis.call('HSET', key, 's:' .. old,
        table.concat({ '1', created, until_then, at, '2', rest }, ' '))
    trim(all, now, idle)
    done = { record = record, seen = session.seen }
end
return { done.record, done.seen and digits(done.seen) or '' }

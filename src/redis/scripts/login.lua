-- Begins a session of one user, ends those that it replaces, and at the bound evicts the oldest or is
-- refused; confirms a login that waited.
--
-- KEYS[1]  the user's HASH
-- ARGV     1 id (32 bytes)   2 record   3 user   4 since (ms)
--          5 own revocation (ms, or empty)   6 most sessions   7 now (ms)   8 idle (ms)
--          9 evict ('oldest' or 'refuse')   10 id of the login that waited (32 bytes, or empty)
--          11.. ids that the login replaces
-- Reply    'kept', 'evicted' where another gave way to it, 'revoked', 'many', or 'gone' where no login
--          waits under that id
--
-- All or nothing: a revocation later than `since` less a second of skew refuses, unless it is this
-- request's own. A login that waited needs no such look: a revocation would have ended it. `u` moves
-- forward only. A repeat leaves one session.
local id, waited = ARGV[1], ARGV[10]
local since, now, idle = tonumber(ARGV[4]), tonumber(ARGV[7]), tonumber(ARGV[8])

local revoked, failed = revocation(now)
if failed then
    return failed
end
if waited == '' and refuses(revoked, since, ARGV[5]) then
    return 'revoked'
end
local all = load()

local replaced = { [id] = true }
for n = 11, #ARGV do
    replaced[ARGV[n]] = true
end
if waited ~= '' then
    local pending = all.pending[waited]
    if not pending and all.sessions[id] then
        -- This confirmation was sent before.
        return 'kept'
    end
    if not pending or pending.ends <= now then
        return 'gone'
    end
    replaced[waited] = true
end

-- Decided before anything is written: whose handles end, and whether the new one may come.
local ends, others = {}, {}
for other in pairs(replaced) do
    local session = all.sessions[other]
    if session then
        ends[session.handle] = true
    end
end
for _, session in pairs(all.sessions) do
    local lives = expiry(session, session.seen, idle) > now
    if lives and session.mark ~= '2' and not ends[session.handle] then
        table.insert(others, session)
    end
end
others = in_order(others, 'created')
local over = #others + 1 - tonumber(ARGV[6])
if over > 0 and ARGV[9] == 'refuse' then
    return 'many'
end
for n = 1, over do
    ends[others[n].handle] = true
end

end_handles(all, ends)
for other in pairs(replaced) do
    if all.pending[other] then
        redis.call('HDEL', key, 'p:' .. other)
        all.pending[other] = nil
    end
end
trim(all, now, idle)

-- A user is `<version> <as of> <JSON>`.
local as_of = all.user and moment(string.match(all.user, '^%d+ (%d+) '))
if not as_of or as_of <= (moment(string.match(ARGV[3], '^%d+ (%d+) ')) or since) then
    redis.call('HSET', key, 'u', ARGV[3])
end
redis.call('HSET', key, 's:' .. id, ARGV[2])
all.sessions[id] = read(ARGV[2])
expire(all, idle, revoked)
return over > 0 and 'evicted' or 'kept'

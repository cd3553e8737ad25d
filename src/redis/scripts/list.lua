-- Lists the living sessions of a user in the order of their logins, and drops what is dead.
--
-- KEYS[1]  the user's HASH
-- ARGV     1 now (ms)   2 idle (ms)
-- Reply    for each session its record and when it was last seen (ms, or empty where never)
--
-- Superseded ones are left out. A repeat drops nothing more.
local all = load()
trim(all, tonumber(ARGV[1]), tonumber(ARGV[2]))
forget_user(all)
local reply = {}
for _, session in ipairs(in_order(all.sessions, 'created')) do
    if session.mark ~= '2' then
        table.insert(reply, session.record)
        table.insert(reply, session.seen and digits(session.seen) or '')
    end
end
return reply

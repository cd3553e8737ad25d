-- Ends the session of one handle; with a user's last session the user is forgotten.
--
-- KEYS[1]  the user's HASH
-- ARGV     1 handle (22 characters)
-- Reply    1, or 0 where there was none
--
-- A revocation (`r`) stays. A repeat does nothing.
local all = load()
local ended = end_handles(all, { [ARGV[1]] = true })
forget_user(all)
return math.min(ended, 1)

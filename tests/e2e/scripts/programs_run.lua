-- A program of its own that starts others, and ends in the way that its argument says.
local echolot = require "echolot"
local how = ...
local cat = echolot.process { "cat" }
local deaf = echolot.process { "sh", "-c", "trap '' TERM; echo ready; read forever" }
assert(deaf:read() == "ready")
print "ready"
if how == "raises" then
    error "as it should"
elseif how == "exits" then
    os.exit(7)
elseif how == "waits" then
    cat:timeout(math.huge):read()
end

-- So many round trips on each of so many connections at the same time.
local echolot = require "echolot"
local address, connections, round_trips = ...
local function converse()
    local peer <close> = echolot.connect(address)
    for _ = 1, round_trips do
        peer:send "ping\n"
        assert(peer:read() == "ping")
    end
end
if tonumber(connections) == 1 then
    echolot.run(converse)
else
    local functions = {}
    for i = 1, connections do functions[i] = converse end
    echolot.parallel(table.unpack(functions))
end

-- One connection, a line to and fro: what blocking_client.c does, as a script. The wall
-- time leaves the start of the process out.
--
--   echolot run one.lua HOST PORT ROUNDS

local echolot = require "echolot"
local host, port, rounds = ...
port, rounds = math.tointeger(port), math.tointeger(rounds)

local text = ("%031d"):format(1)
local line = text .. "\n"
-- Not the default: between its turns at the turn server it waits for the other clients.
local conn <close> = echolot.connect(host, port, { timeout = 60 })

local started = echolot.now()
for _ = 1, rounds do
    conn:send(line)
    if conn:read "l" ~= text then
        error("the line that came back is another one")
    end
end
local wall_ns = (echolot.now() - started) * 1e9 // 1 | 0
print(("round_trips=%d bytes=%d wall_ns=%d"):format(rounds, rounds * 32, wall_ns))

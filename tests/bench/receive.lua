-- One connection that receives until the server has finished, and drops what it receives:
-- what recv_client.c does, as a script.
--
--   echolot run receive.lua HOST PORT BYTES   (as many as the source was told to send)

local echolot = require "echolot"
local host, port, expected = ...
port, expected = math.tointeger(port), math.tointeger(expected)

-- One period of the stream; bench.c has the same.
local period = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local conn <close> = echolot.connect(host, port, { timeout = 60 })
local bytes, last = 0, ""
local started = echolot.now()
while true do -- until the server ends its half, or the connection's timeout
    local chunk = conn:recv(65536)
    if chunk == "" then
        break
    end
    bytes = bytes + #chunk
    last = chunk
end
local wall_ns = (echolot.now() - started) * 1e9 // 1 | 0

if bytes ~= expected then
    error(("the stream has another length: %d bytes, not %d"):format(bytes, expected))
end
if last:sub(-#period) ~= period:sub(-#last) then
    error("the stream does not end as it should")
end
print(("round_trips=0 bytes=%d wall_ns=%d"):format(bytes, wall_ns))

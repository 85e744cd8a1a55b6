-- Reaches both.test, of whose addresses one answers; gives six.test, that does not, up after its limit.
local echolot = require "echolot"

local listener <close> = echolot.listen "127.0.0.1:0"
local conn = echolot.connect("both.test", listener.port, { timeout = 20 })
print("both.test: " .. conn.peer.host)

local ok, err = pcall(echolot.connect, "six.test", listener.port, { timeout = 0.5 })
assert(not ok)
print(("six.test: %s, %s"):format(err.kind, err.message:match "%[.-%]"))

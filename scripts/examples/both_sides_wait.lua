-- A deadlock between two programs: the server waits for the end of the line, the client for the
-- reply. Nothing is broken, and nothing will ever happen; only a limit of time notices.
local echolot = require "echolot"
target(echolot.servers.echo())

conversation("a line without its end is never answered", function(peer)
    peer:send "hello" -- the newline is missing
    local err = assert.has_error(function() peer:timeout(0.1):read "l" end)
    assert.equal("timeout", err.kind)

    peer:timeout(5):send "\n" -- one byte, and both go on
    assert.equal("hello", peer:read "l")
end)

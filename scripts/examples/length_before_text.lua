-- Another way to frame messages than lines: the length first, then so many bytes, which may be
-- anything. "s2" of string.pack is a string behind its length in two bytes.
local echolot = require "echolot"
target(echolot.servers.echo { framing = "raw", chunk = 5, chunk_delay = 0.005 })

conversation("messages keep their borders", function(peer)
    local messages = { "hello", "", "two\nlines", "\0\xff" }
    for _, message in ipairs(messages) do
        peer:pack(">s2", message)
    end
    for _, message in ipairs(messages) do
        assert.equal(message, (peer:unpack ">s2"))
    end
end)

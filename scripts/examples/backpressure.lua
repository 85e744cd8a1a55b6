-- Who sends much and never reads is held up: the reply fills the buffers on the way back, the
-- server stops reading, and then the buffers on the way there are full as well.
local echolot = require "echolot"
target(echolot.servers.echo { framing = "raw" })

local BLOCK = ("x"):rep(1 << 16)
local COUNT = 2000 -- 125 MiB, more than any buffer holds

conversation("sending without reading comes to a stop", { timeout = 0.2 }, function(peer)
    local err = assert.has_error(function()
        for _ = 1, COUNT do
            peer:send(BLOCK)
        end
    end)
    assert.equal("timeout", err.kind)
end)

conversation("reading at the same time keeps both going", function(peer)
    local reader = echolot.spawn(function()
        local received = 0
        while received < COUNT * #BLOCK do
            received = received + #peer:recv(#BLOCK)
        end
        return received
    end)
    for _ = 1, COUNT do
        peer:send(BLOCK)
    end
    assert.equal(COUNT * #BLOCK, reader:join())
end)

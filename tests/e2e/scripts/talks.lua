-- With any echo server, whoever wrote it.
local echolot = require "echolot"
local whom = target()
conversation("line by line", function(peer)
    for i = 1, 100 do
        peer:write("line ", i, "\n")
        assert.equal("line " .. i, peer:read "l")
    end
    peer:shutdown()
    assert.equal("", peer:recv())
    assert.is_nil(peer:read "l")
end)
conversation("what came before our end still comes back", function(peer)
    peer:send("no line end"):shutdown()
    assert.equal("no line end", peer:read "a")
end)
it("five clients in five tasks", function()
    local function talk()
        local peer <close> = whom:connect()
        for i = 1, 20 do assert.equal(tostring(i), peer:send(i, "\n"):read()) end
        return true
    end
    assert.same({ true, true, true, true, true }, { echolot.parallel(talk, talk, talk, talk, talk) })
end)

-- Both sides in one script: a server of a few lines, and tests of what it does. It adds the
-- numbers of each line; every client has a task of its own.
local echolot = require "echolot"

local function adder(client)
    for line in client:lines() do
        local sum = 0
        for word in line:gmatch "%S+" do
            sum = sum + (tonumber(word) or error("no number: " .. word))
        end
        client:send(("%g\n"):format(sum))
    end
end

describe("the adding server", function()
    local server
    before_each(function() server = echolot.serve("127.0.0.1:0", adder) end)

    it("adds the numbers of a line", function()
        local conn <close> = echolot.connect(server.address)
        assert.equal("6", conn:send("1 2 3\n"):read "l")
        assert.equal("0.5", conn:send("0.25 0.25\n"):read "l")
    end)

    it("ends the client that sends something else, and no other", function()
        local careless <close> = echolot.connect(server.address)
        local careful <close> = echolot.connect(server.address)
        assert.is_nil(careless:send("one two\n"):read "l")
        assert.equal("2", careful:send("1 1\n"):read "l")
    end)
end)

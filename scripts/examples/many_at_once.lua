-- Several conversations at once: while one waits, the others go on. All fifty meet at a barrier
-- in the middle of theirs; one after the other they would never get there.
local echolot = require "echolot"
local server = target(echolot.servers.echo())

it("fifty clients are in the middle of a conversation at the same time", function()
    local all_here = echolot.barrier(50)
    local clients = {}
    for i = 1, 50 do
        clients[i] = function()
            local conn <close> = server:connect()
            conn:send("client ", i)
            all_here:wait()
            return conn:send("\n"):read "l"
        end
    end
    local replies = { echolot.parallel(table.unpack(clients)) }
    for i, reply in ipairs(replies) do
        assert.equal("client " .. i, reply)
    end
end)

conversation("or the suite connects several times for us", { peers = 3 }, function(a, b, c)
    c:send "third\n"
    b:send "second\n"
    a:send "first\n"
    assert.same({ "first", "second", "third" }, { a:read(), b:read(), c:read() })
end)

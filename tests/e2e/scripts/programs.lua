-- Programs that do not hear SIGTERM, with children of the same kind, in tests around one that costs its worker; HOW
-- tells how.
local echolot = require "echolot"

local LOSSES = {
    kill = function()
        os.execute "kill -KILL $PPID"
        while true do end
    end,
    segv = function()
        os.execute "kill -SEGV $PPID"
        while true do end
    end,
    exit = function() os.exit(0) end,
    memory = function()
        local all = {}
        while true do
            all[#all + 1] = ("x"):rep(1 << 20) .. #all
        end
    end,
    spin = function() while true do end end,
    wait = function() echolot.sleep(1000) end,
}

local function start()
    local sh = echolot.process { "sh", "-c", "trap '' TERM; tail -f /dev/null & echo ready; while :; do wait; done" }
    assert.equal("ready", sh:read())
    return sh
end

it("before", start)
it("loses its worker", function()
    local programs = { start(), start() }
    print "has programs"
    LOSSES[os.getenv "HOW"]()
    return programs
end)
it("after", start)

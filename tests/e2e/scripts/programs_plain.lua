-- Programs without children of their own, and a wait for ever.
local echolot = require "echolot"
it("waits", function()
    local deaf = echolot.process { "sh", "-c", "trap '' TERM; echo ready; read forever" }
    assert.equal("ready", deaf:read())
    local cat = echolot.process { "cat" }
    print "has programs"
    echolot.sleep(1000)
    return cat
end)

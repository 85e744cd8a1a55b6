-- Two tests that end, then one that waits for ever: what is there when a signal comes.
local echolot = require "echolot"
it("ends", function() end)
it("ends badly", function() error "as it should" end)
it("waits", function()
    print "waiting"
    echolot.sleep(1000)
end)

-- Programs of the shell as servers: each reads to our end, then answers.
local echolot = require "echolot"
local EXPECTED = {
    cat = "One\ntwo\n", sed = "[One]\n[two]\n", tr = "ONE\nTWO\n", rev = "enO\nowt\n",
}
for name, expected in pairs(EXPECTED) do
    local address = os.getenv("ECHOLOT_TARGET_" .. name:upper())
    if address then
        conversation(name, { target = target(name, nil) }, function(peer)
            peer:send "One\n":send "two\n":shutdown()
            assert.equal(expected, peer:read "a")
            assert.equal("", peer:recv())
        end)
    end
end

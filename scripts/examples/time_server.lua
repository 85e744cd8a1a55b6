-- Not every protocol is text. The time server sends four bytes, the highest first: the seconds
-- since 1900 (RFC 868). unpack waits for exactly the bytes that its format needs.
local echolot = require "echolot"
target(echolot.servers.time())

local FROM_1900_TO_1970 = 2208988800

conversation("tells the time as a 32-bit number", function(peer)
    local seconds = peer:unpack ">I4"
    local told = seconds - FROM_1900_TO_1970
    log(os.date("!it is %Y-%m-%d %H:%M:%S UTC", told))
    assert.near(os.time(), told, 60, "our clocks should agree to the minute")
    assert.equal("", peer:recv(), "and there is nothing more")
end)

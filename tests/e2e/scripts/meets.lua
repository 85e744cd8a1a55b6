-- Answered only while others do the same: see Meeting in tests/peer.
local meeting = target("meeting", nil)
conversation("meets", { target = meeting }, function(peer)
    peer:send "here\n"
    assert.equal("all here", peer:read())
end)

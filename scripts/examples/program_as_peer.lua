-- A conversation needs two sides, not a network. A program that reads lines and prints lines is
-- talked to like a server: what we send is its standard input, what it prints is what we receive.
local echolot = require "echolot"
target "exec:sed -u s/ping/pong/"

conversation("answers line by line", function(peer)
    peer:send "ping 1\n":expect "pong 1\n"
    peer:send "ping 2\n":expect "pong 2\n"
end)

conversation("ends when its input does", function(peer)
    peer:send("ping"):shutdown()
    peer:expect "pong"
    peer:expect_eof()
    assert.equal(0, peer:wait())
end)

-- sort cannot answer before it has read all; without the shutdown both sides would wait.
conversation("answers at the end only", { target = "exec:sort" }, function(peer)
    peer:send "b\na\n":expect_silence(0.1)
    assert.equal("a\nb\n", peer:shutdown():read "a")
end)

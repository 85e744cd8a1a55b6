-- The time by UDP (RFC 868): an empty datagram asks, one of four bytes answers. A datagram comes whole, or
-- not at all: whoever needs an answer asks again. Nobody refuses and nobody ends but by a word of its own.
local echolot = require "echolot"

local FROM_1900_TO_1970 = 2208988800

-- Here the first question is lost on purpose.
local function forgetful_clock(socket)
    socket:recv()
    while true do
        local _, from = socket:recv()
        socket:send(string.pack(">I4", os.time() + FROM_1900_TO_1970), from)
    end
end

local function ask(peer, tries)
    for try = 1, tries do
        peer:send ""
        local ok, answer = pcall(peer.recv, peer)
        if ok then
            return string.unpack(">I4", answer) - FROM_1900_TO_1970, try
        elseif answer.kind ~= "timeout" then
            error(answer, 0)
        end
    end
    error "nobody answers"
end

it("asks again where no answer comes", function()
    local socket = echolot.udp_listen "127.0.0.1:0"
    echolot.spawn(forgetful_clock, socket)
    local peer = echolot.udp(socket.address, { timeout = 0.1 })
    local told, tries = ask(peer, 5)
    assert.near(os.time(), told, 60)
    assert.is_true(tries >= 2)
end)

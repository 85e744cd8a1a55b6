-- Where does a reply end that has more than one line? Mail servers say it in each line: a hyphen behind the code means
-- that another one follows, a blank that this is the last.
local echolot = require "echolot"

local EHLO = { "250-mail.example greets you\r\n", "250-SIZE 1000000\r\n", "250 8BITMIME\r\n" }

local function mail_server(client)
    client:send "220 mail.example ready\r\n"
    for line in client:lines() do
        if line:find "^EHLO " then
            client:send(table.unpack(EHLO))
        elseif line == "QUIT" then
            client:send "221 goodbye\r\n"
            return
        else
            client:send "500 what was that?\r\n"
        end
    end
end

-- The texts of a reply that has to have this code.
local function expect_reply(peer, code)
    local texts = {}
    repeat
        local _, mark, text = peer:expect_line(echolot.pattern(code .. "([- ])(.*)"))
        texts[#texts + 1] = text
    until mark == " "
    return texts
end

describe("a mail server", function()
    local server
    before_each(function() server = echolot.serve("127.0.0.1:0", mail_server) end)

    it("says what it can do", function()
        local peer = echolot.connect(server)
        expect_reply(peer, "220")
        local extensions = expect_reply(peer:send "EHLO client.example\r\n", "250")
        assert.equal(3, #extensions)
        assert.contains("8BITMIME", extensions)
        expect_reply(peer:send "QUIT\r\n", "221")
        peer:expect_eof()
    end)
end)

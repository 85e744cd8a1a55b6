-- Two framings in one message, as in HTTP: lines up to a blank one, among them the length of what follows; then so many
-- bytes, which may be anything. What comes behind them belongs to the next message.
local echolot = require "echolot"

local function web_server(client)
    for line in client:lines() do
        local path = line:match "^GET (%S+) HTTP/1%.1$"
        if path then
            client:send("HTTP/1.1 200 OK\r\n", "Content-Type: text/plain\r\n",
                "Content-Length: ", #path, "\r\n\r\n", path)
        end
    end
end

local function expect_response(peer)
    local code = peer:expect(echolot.pattern "HTTP/1%.1 (%d+) [^\r\n]*\r\n")
    local head = {}
    for line in peer:lines() do
        if line == "" then
            break
        end
        local name, value = line:match "^([^:]+): *(.*)$"
        head[name:lower()] = value
    end
    local body = peer:expect(echolot.bytes(tonumber(head["content-length"])))
    return tonumber(code), head, body
end

it("two responses on one connection are told apart", function()
    local server <close> = echolot.serve("127.0.0.1:0", web_server)
    local peer = echolot.connect(server)
    peer:send("GET /first HTTP/1.1\r\nHost: x\r\n\r\n", "GET /second HTTP/1.1\r\nHost: x\r\n\r\n")
    for _, path in ipairs { "/first", "/second" } do
        local code, head, body = expect_response(peer)
        assert.equal(200, code)
        assert.equal("text/plain", head["content-type"])
        assert.equal(path, body)
    end
end)

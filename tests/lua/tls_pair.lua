-- What the tests of TLS share: certificates, made once a file, and two ends of a connection that speaks TLS.
local echolot = require "echolot"

local M = {}

local folder

local HERE = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"

local function run(command)
    if not os.execute(command) then
        error("this command failed: " .. command)
    end
end

--- Makes the certificates that are named (none: all there are), for the running file; belongs into `setup`.
function M.make(...)
    folder = os.tmpname()
    os.remove(folder)
    run(("mkdir '%s'"):format(folder))
    run(("python3 -B '%s/../certificates.py' '%s' %s"):format(HERE, folder, table.concat({ ... }, " ")))
end

--- Removes them; belongs into `teardown`.
function M.remove()
    run(("rm -r '%s'"):format(folder))
end

--- The path of a file among them: "server" is server.pem.
function M.path(name)
    return ("%s/%s.pem"):format(folder, name)
end

--- The text in it.
function M.text(name)
    local file <close> = assert(io.open(M.path(name)))
    return file:read "a"
end

--- A server's options: a certificate, the key of all of them, and what `more` says.
function M.server(name, more)
    local options = { certificate = M.path(name or "server"), key = M.path "key" }
    for key, value in pairs(more or {}) do
        options[key] = value
    end
    return options
end

--- A client's options: whom it trusts, and what `more` says.
function M.client(more)
    local options = { ca = M.path "ca" }
    for key, value in pairs(more or {}) do
        options[key] = value
    end
    return options
end

--- Two ends that speak TLS; the second was accepted. Both tables are options of connect and listen.
function M.pair(client, server)
    client, server = client or {}, server or {}
    client.tls = M.client(client.tls)
    server.tls = M.server("server", server.tls)
    local listener <close> = echolot.listen("tls://127.0.0.1:0", server)
    local ours = echolot.connect(listener.address, client)
    return ours, listener:accept()
end

--- The same after starttls in the middle of a conversation in plain text.
function M.started_pair(client, server)
    local listener <close> = echolot.listen("127.0.0.1:0", server)
    local ours = echolot.connect(listener.address, client)
    local theirs = listener:accept()
    local task = echolot.spawn(theirs.starttls, theirs, M.server())
    ours:starttls(M.client())
    task:join()
    return ours, theirs
end

local function forward(from, to, piece)
    while true do
        local bytes = from:recv(piece or 65536)
        if bytes == "" then
            to:shutdown()
            return
        end
        to:send(bytes)
    end
end

--- Two ends as `pair` gives them, with somebody in between who hands on what is encrypted, in pieces of so many bytes.
--- The third result is what is in between: its end towards the first, and towards the second.
function M.pair_between(piece, client, server)
    client, server = client or {}, server or {}
    client.tls = M.client(client.tls)
    server.tls = M.server("server", server.tls)
    local front <close> = echolot.listen "127.0.0.1:0"
    local back <close> = echolot.listen("tls://127.0.0.1:0", server)
    local between = {}
    echolot.spawn(function()
        between[1] = front:accept()
        between[2] = echolot.connect("127.0.0.1", back.port)
        between.to = echolot.spawn(pcall, forward, between[1], between[2], piece)
        between.back = echolot.spawn(pcall, forward, between[2], between[1], piece)
    end)
    local ours = echolot.connect(("tls://127.0.0.1:%d"):format(front.port), client)
    return ours, back:accept(), between
end

return M

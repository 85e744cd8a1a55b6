-- Serves TLS, or what becomes TLS as mail servers do it (argument "smtp"): each line comes back in capitals; the
-- certificates lie in the working directory. Prints its port.
local echolot = require "echolot"
local options = { certificate = "server.pem", key = "key.pem", ca = os.getenv "TLS_CA" }
local smtp = ... == "smtp"

local function talk(client)
    for line in client:lines() do
        client:send(line:upper(), "\r\n")
    end
    client:shutdown()
end

local function serve(client)
    if smtp then
        client:send "220 ready\r\n":expect_line(echolot.pattern "EHLO .*")
        client:send "250-here\r\n250 STARTTLS\r\n":expect_line "STARTTLS"
        client:send("220 go ahead\r\n"):starttls(options)
    end
    local who = client.tls.peer_certificate
    client:send(client.tls.version, " ", who and who.subject or "nobody", "\r\n")
    talk(client)
end

local server = echolot.serve(smtp and "127.0.0.1:0" or "tls://127.0.0.1:0", serve, not smtp and { tls = options } or nil)
io.write(server.port, "\n")
io.flush()

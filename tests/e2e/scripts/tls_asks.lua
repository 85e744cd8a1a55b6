-- What a server that sends each line back reversed is asked over TLS, by whichever of the options it wants; the
-- certificates lie in the working directory.
local echolot = require "echolot"
local peer_of = target "tls://localhost:1"
local options = { ca = "ca.pem" }
for _, name in ipairs { "max_version", "ciphers", "certificate", "key" } do
    options[name] = os.getenv("TLS_" .. name:upper())
end

conversation("each line comes back reversed", { tls = options }, function(peer)
    peer:send "hello\n":expect "olleh\n"
    local long = ("0123456789"):rep(1500)
    peer:send(long, "\n"):expect_line(long:reverse())
    fact("version", peer.tls.version)
    fact("cipher", peer.tls.cipher)
    fact("subject", peer.tls.peer_certificate.subject)
end)

it("is not trusted without reason", function()
    local err = assert.has_error(function() peer_of:connect() end)
    assert.equal("tls", err.kind)
    assert.contains("the issuer is unknown", err.message)
end)

-- Whose certificate a server shows, and for how long: asked of any server by
-- `echolot test --target tls://HOST:PORT certificate_report.lua`; here of one with a day left.
local echolot = require "echolot"

local DAY = 24 * 60 * 60
local made <close> = io.popen("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1"
    .. " -subj /CN=short-lived -addext subjectAltName=DNS:localhost -keyout - -out - 2>/dev/null")
local own = made:read "a"

local server = target {
    start = function(_, address)
        if own == "" then
            pending "the openssl command is not installed"
        end
        return echolot.serve(address, function(client) client:recv() end, { tls = { certificate = own } })
    end,
}

it("has a certificate that will be good for a while", function()
    -- to be looked at, whatever it is: who is to be trusted would be verified
    local conn <close> = server:connect { tls = { verify = false } }
    local certificate = conn.tls.peer_certificate
    local left = (certificate.not_after - os.time()) // DAY
    fact("version", conn.tls.version)
    fact("subject", certificate.subject)
    fact("names", certificate.names)
    fact("days left", left)
    check.is_true(certificate.not_before <= os.time())
    check.is_true(left >= 0, "it has expired on " .. os.date("!%Y-%m-%d", certificate.not_after))
end)

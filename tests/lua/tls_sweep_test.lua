-- Whatever the records of TLS.
local tls = require "tls_pair"

setup(function() tls.make "server" end)
teardown(tls.remove)

require "expect_sweep"(tls.pair)

-- A program says how it went in three ways: what it prints, what it complains of, and its exit
-- status, which is 0 where all went well. One that a signal ended has no status.
local echolot = require "echolot"

it("succeeds", function()
    local wc = echolot.process { "wc", "-l", stdin = "one\ntwo\n" }
    assert.matches("^%s*2\n$", wc:read "a")
    assert.equal(0, wc:wait())
end)

it("fails, and says why on standard error", function()
    local cat = echolot.process { "cat", "/no/such/file", env = { LC_ALL = "C" } }
    assert.equal("", cat:read "a")
    assert.contains("No such file", cat.stderr:read())
    assert.equal(1, cat:wait())
end)

it("is ended by a signal", function()
    local sleep = echolot.process { "sleep", 1000 }
    local status, signal = sleep:kill("TERM"):wait()
    assert.is_nil(status)
    assert.equal("SIGTERM", signal)
end)

it("is not there at all", function()
    local err = assert.has_error(function() echolot.process { "no-such-program" } end)
    assert.equal("ENOENT", err.errno)
end)

-- Programs, for a stock Lua: what wait() gives is the argument, a status or the error's kind.
local echolot = require "echolot"
local cat = echolot.process { "cat" }
assert(cat:send("hello\n"):read() == "hello")
assert(echolot.connect("exec:sed s/a/b/"):send("a\n"):shutdown():read "a" == "b\n")
assert(not os.execute "exit 5" or (...) == "denied") -- the host's own children are still its own

local sh = echolot.process { "sh", "-c", "read x; echo err >&2; exit 3" }
sh:send "go\n"
assert(sh.stderr:read() == "err")
local ok, how = pcall(sh.wait, sh)
assert(tostring(ok and how or how.kind) == ..., how)

local kept = echolot.process { "sleep", "1000" }
kept:kill()
if ... ~= "denied" then
    assert(select(2, kept:wait()) == "SIGTERM")
end
-- What may be loaded into us before all else, by those who test us, would have handlers in it, too.
local status = echolot.process({ "cat", "/proc/self/status", env = { LD_PRELOAD = false } }):read "a"
for field, mask in status:gmatch "(Sig[BIC]%a+):%s*(%x+)" do
    assert(mask:match "^0+$", field)
end
echolot.process { "sh", "-c", "trap '' TERM; tail -f /dev/null" }
print "ok"

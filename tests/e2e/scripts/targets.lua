-- Reports whom the targets of this file are.
local unnamed = target "127.0.0.1:1001"
local named = target("other-one", "127.0.0.1:1002")
it("unnamed " .. unnamed.address, function() end)
it("named " .. named.address, function() end)

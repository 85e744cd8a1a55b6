it("before", function() end)
it("makes one string", function() return ("x"):rep(1 << 30) end)
it("after", function() end)

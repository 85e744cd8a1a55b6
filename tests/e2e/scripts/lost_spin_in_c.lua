it("before", function() end)
it("spins in a C function", function() (("a"):rep(60)):find(("a*"):rep(40) .. "b") end)
it("after", function() end)

it("before", function() end)
it("spins", function() while true do end end)
it("after", function() end)

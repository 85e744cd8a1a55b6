it("before", function() end)
it("fills a table", function()
    local t = {}
    for i = 1, math.huge do t[i] = ("x"):rep(1 << 16) .. i end
end)
it("after", function() end)

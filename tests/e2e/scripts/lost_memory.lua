it("before", function() end)
it("fills a table", function()
    local t = {}
    for i = 1, math.huge do t[i] = ("x"):rep(1000) .. i end
end)
it("after", function() end)

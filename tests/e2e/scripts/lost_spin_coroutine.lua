it("before", function() end)
it("spins, whatever is raised", function()
    while true do
        pcall(coroutine.wrap(function() while true do end end))
    end
end)
it("after", function() end)

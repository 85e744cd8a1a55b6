-- A loop over `pairs` makes tests in an order of its own in each Lua state; names may come twice, or be no text.
local names = { twice = true, ["no \xff text"] = true }
for n = 1, 20 do
    names["test " .. n] = n
end
for name, n in pairs(names) do
    it(name, function()
        if n == 7 or n == 13 then
            os.exit(1)
        end
    end)
    if name == "twice" then
        it("twice", function() end)
    end
end

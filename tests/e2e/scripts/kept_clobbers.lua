it("before", function() end)
it("takes everything from under the runner", function()
    for _, name in ipairs { "pcall", "error", "tostring", "type", "ipairs", "pairs", "next", "select",
        "setmetatable", "getmetatable", "rawget", "rawset", "require", "print", "assert" } do
        _G[name] = nil
    end
    for key in pairs(string) do string[key] = nil end
end)

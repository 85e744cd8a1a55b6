it("before", function() end)
it("prints much", function()
    for i = 1, 20000 do print("print", i) end
    for i = 1, 20000 do io.write("write ", i, "\n") end
    io.stderr:write(("e"):rep(1 << 20), "\n")
    io.write(("o"):rep(1 << 20)) -- a line without an end
end)
it("after", function() end)

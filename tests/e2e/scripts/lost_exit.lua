it("before", function() end)
it("exits", function() os.exit(0) end)
it("after", function() end)

it("before", function() end)
it("is stopped", function()
    os.execute "kill -STOP $PPID"
    while true do end
end)
it("after", function() end)

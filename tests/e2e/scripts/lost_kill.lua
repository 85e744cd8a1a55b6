it("before", function() end)
it("is killed", function()
    os.execute "kill -KILL $PPID"
    while true do end
end)
it("after", function() end)

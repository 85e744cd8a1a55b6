it("before", function() end)
it("dies, its child lives", function()
    os.execute "sleep 1000 &"
    os.execute "kill -KILL $PPID"
    while true do end
end)
it("after", function() end)

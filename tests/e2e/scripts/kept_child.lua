it("before", function() end)
it("leaves a child", function() os.execute "sleep 1000 &" end)
it("leaves a pipe", function() io.popen("sleep 1000") end)
it("after", function() end)

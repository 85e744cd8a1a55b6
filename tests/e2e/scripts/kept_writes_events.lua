it("before", function() end)
it("writes where the events go", function()
    for _, text in ipairs { "garbage", "[1]", "{}", "null", [[{"event":7}]], [[{"event":"nothing"}]],
        [[{"event":"test_end"}]], [[{"event":"file_end"}]], [[{"event":"test_end","status":[]}]] } do
        os.execute(("printf '%%s\\n' '%s' >&3"):format(text))
    end
end)
it("after", function() end)

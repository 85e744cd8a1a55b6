it("ends", function() end)
it("spins", function()
    print "spinning"
    while true do end
end)

-- Nothing to complain about: must be reported as such, whatever happens to its neighbours.
it("calm one", function() assert.equal(2, 1 + 1) end)
it("calm two", function() assert.is_true(true) end)

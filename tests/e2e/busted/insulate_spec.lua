-- insulate takes back what was done to globals and loaded modules; describe and expose do not.
_G.outer = "outer"
package.loaded.outer_module = "outer"

insulate("insulate", function()
    _G.made_inside = 1
    package.loaded.made_inside = 1
    _G.outer = "changed"
    it("sees what its block did", function()
        assert.equal(1, _G.made_inside)
        assert.equal(1, package.loaded.made_inside)
        assert.equal("changed", _G.outer)
    end)
    it("changes more", function()
        _G.made_by_test = 2
        _G.outer = nil
    end)
    it("keeps that to its end", function()
        assert.equal(2, _G.made_by_test)
        assert.is_nil(_G.outer)
    end)
end)

describe("behind it", function()
    it("all is as it was", function()
        assert.is_nil(_G.made_inside)
        assert.is_nil(_G.made_by_test)
        assert.is_nil(package.loaded.made_inside)
        assert.equal("outer", _G.outer)
        assert.equal("outer", package.loaded.outer_module)
    end)
    it("changes stay", function() _G.made_by_describe = 1 end)
end)

describe("behind a describe", function()
    it("they are seen", function() assert.equal(1, _G.made_by_describe) end)
end)

insulate("an insulate behind a describe", function()
    it("sees what that did", function() assert.equal(1, _G.made_by_describe) end)
end)

expose("expose", function()
    it("changes", function()
        _G.made_by_expose = 1
        package.loaded.made_by_expose = 1
    end)
end)

describe("behind expose", function()
    it("they are seen", function()
        assert.equal(1, _G.made_by_expose)
        assert.equal(1, package.loaded.made_by_expose)
    end)
end)

insulate("an insulate", function()
    insulate("in another", function()
        it("changes", function() _G.made_within = 1 end)
    end)
    it("sees nothing of it", function() assert.is_nil(_G.made_within) end)
    describe("with a group", function()
        it("has the words", function()
            assert.is_function(describe)
            assert.is_truthy(spy)
        end)
    end)
end)

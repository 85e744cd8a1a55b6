-- An output handler of busted's: a line for each test, and for each error outside of them, in the order of the run.
-- What the tests print stands between.
return function()
    local busted = require "busted"
    local handler = require "busted.outputHandlers.base"()

    local function put(status, element)
        io.write("\1", status, "\t", handler.getFullName(element), "\n")
    end

    busted.subscribe({ "test", "end" }, function(element, _, status)
        put(status, element)
        return nil, true
    end)
    busted.subscribe({ "error" }, function(element)
        if element.descriptor ~= "it" then
            put("outside", element)
        end
        return nil, true
    end)
    busted.subscribe({ "failure" }, function(element)
        if element.descriptor ~= "it" then
            put("outside", element)
        end
        return nil, true
    end)
    return handler
end

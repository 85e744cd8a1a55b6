-- What the tests of assertions share: comparing without the assertions under test, and failures of a known kind.
local M = {}

--- Both are the same value.
function M.is(expected, actual)
    if not rawequal(expected, actual) then
        error(("expected:\n%s\ngot:\n%s"):format(tostring(expected), tostring(actual)), 2)
    end
end

--- What `f(...)` raised.
function M.failure(f, ...)
    local ok, raised = pcall(f, ...)
    if ok then
        error("nothing was raised", 2)
    end
    return raised
end

--- `f(...)` fails as an assertion, in these words; its error.
function M.fails(message, f, ...)
    local raised = M.failure(f, ...)
    M.is("mismatch", raised.kind)
    M.is("assert", raised.op)
    M.is(message, raised.message)
    M.is(message, tostring(raised))
    return raised
end

--- `f(...)` is told to be a mistake of the script's, in these words; its error.
function M.misuse(message, f, ...)
    local raised = M.failure(f, ...)
    M.is("usage", raised.kind)
    M.is(message, raised.message)
    return raised
end

--- A function that raises this value.
function M.raises(value, level)
    return function()
        error(value, level)
    end
end

return M

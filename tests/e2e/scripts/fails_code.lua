-- Failures that come from the script's own code: where they are said to be, and what is quoted of it.
local function check_reply(reply, wanted)
    assert.equal(wanted, reply)
end

local function ask(question)
    check_reply(question:upper(), question)
    return true
end

it("fails far from where it was called", function()
    local fine = ask "question"
    assert(fine)
end)

it("raises what is no error object", function()
    local nothing
    return nothing.field
end)

it("has a name that is much longer than what fits into a line of a terminal, and goes on where it has to be cut", function()
    assert.is_true(false, "a message that is long enough to be wrapped where the terminal is narrow")
end)

describe("a group", function()
    before_each(function()
        error { code = 7, text = "not a string" }
    end)

    it("whose hook fails", function() end)
end)

it("fails in a task that it does not wait for", function()
    local echolot = require "echolot"
    echolot.spawn(function()
        assert.equal(1, 2)
    end)
    echolot.sleep(0.001)
end)

it("fails a check in a loop", function()
    for index = 1, 13 do
        check.equal(0, index)
    end
end)

it("fails deep within itself", function()
    local function descend(depth)
        if depth == 0 then
            error "too deep"
        end
        return (descend(depth - 1))
    end
    descend(30)
end)

teardown(function()
    error "teardown broke"
end)

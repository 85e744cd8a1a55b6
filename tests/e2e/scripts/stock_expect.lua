-- For lua5.4: expectations outside of any task, while tasks wait on other connections, and on the same one, in the
-- same turns of the loop. What was decided for one must not reach the other. Prints "ok" at the end.
local echolot = require "echolot"

local TURNS = 20

local function pair()
    local listener <close> = echolot.listen "127.0.0.1:0"
    local ours = echolot.connect(listener.address)
    return ours, listener:accept()
end

-- Sends both texts in one turn, once both readers wait.
local function send_both(first, text, second, other)
    return echolot.spawn(function()
        first:send(text)
        second:send(other)
    end)
end

local function one_expression_for_two()
    local both = echolot.regex "(a+)(b*);"
    local ours, theirs = pair()
    local other, peer = pair()
    for _ = 1, TURNS do
        local reader = echolot.spawn(function() return other:expect(both) end)
        local sender = send_both(theirs, "ab;", peer, ("a"):rep(900) .. ("b"):rep(800) .. ";")
        local a, b = ours:expect(both)
        assert(a == "a" and b == "b", "the other's captures")
        local more_a, more_b = reader:join()
        assert(#more_a == 900 and #more_b == 800)
        sender:join()
    end
end

local function one_connection_for_two()
    local ours, theirs = pair()
    local other, peer = pair()
    for turn = 1, TURNS do
        local reader = echolot.spawn(function()
            other:expect "go"
            local ok = pcall(ours.expect, ours, ("no" .. turn):rep(9), { timeout = 0 })
            collectgarbage()
            return ok
        end)
        local sender = send_both(theirs, "ok", peer, "go")
        assert(ours:expect "ok" == "ok")
        assert(not reader:join())
        sender:join()
    end
end

local function many_waits()
    local ours, theirs = pair()
    local waits = 100000 -- were each one a call within the last, the stack would not hold them
    local sender = echolot.spawn(function()
        for _ = 1, waits / 100 do
            theirs:send(("x"):rep(100))
            echolot.sleep(0)
        end
    end)
    for _ = 1, waits do ours:expect(echolot.pattern "x") end
    sender:join()
end

one_expression_for_two()
one_connection_for_two()
many_waits()
print "ok"

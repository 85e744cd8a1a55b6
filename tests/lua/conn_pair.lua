-- What the tests of connections share: two ends of one connection, and failures of a known kind.
local echolot = require "echolot"

local M = {}

M.LOCAL = "127.0.0.1:0"

-- What pairs are made of: "tcp", or what `over` was called with.
local carrier = "tcp"

--- Pairs are made over this carrier from now on: "tcp" or "unix".
function M.over(name)
    carrier = name
end

--- Ends the test here, as skipped, where the carrier has no such thing, a "reset".
function M.needs(what)
    if carrier ~= "tcp" then
        pending(("over %s there is no such thing: %s"):format(carrier, what))
    end
end

local path_count = 0

--- A path where no file is, for a Unix socket.
function M.path()
    local name = os.tmpname() -- which makes a file: its name is nobody else's
    path_count = path_count + 1
    finally(function() os.remove(name) end)
    return ("%s.%d"):format(name, path_count)
end

--- An address to listen on.
function M.local_address()
    return carrier == "tcp" and M.LOCAL or "unix:" .. M.path()
end

--- Two connected ends; the second was accepted.
function M.pair(options, listen_options)
    local listener <close> = echolot.listen(M.local_address(), listen_options)
    local ours = echolot.connect(listener.address, options)
    return ours, listener:accept()
end

--- The error of this kind that `f(...)` raises.
function M.failure(kind, f, ...)
    local ok, err = pcall(f, ...)
    if ok then
        error(("an error of kind %s was expected, but none was raised"):format(kind), 2)
    elseif not echolot.Error.is(err) then
        error(("an error of kind %s was expected, got: %s"):format(kind, tostring(err)), 2)
    elseif err.kind ~= kind then
        error(("an error of kind %s was expected, got %s: %s"):format(kind, err.kind, tostring(err)), 2)
    end
    return err
end

--- The error of this kind that a method raises.
function M.fails(kind, object, method, ...)
    return M.failure(kind, object[method], object, ...)
end

--- A port that refuses: it was free a moment ago, and nobody listens there.
function M.refusing_port()
    local listener <close> = echolot.listen(M.LOCAL)
    return listener.port
end

--- Bytes of which every position can be told: `n` of them.
function M.pattern(n)
    local block = {}
    for i = 0, 250 do
        block[#block + 1] = string.char(i)
    end
    local text = table.concat(block)
    return text:rep(n // 251 + 1):sub(1, n)
end

--- Runs `f` in a task that begins to wait before this returns.
function M.start(f, ...)
    local task = echolot.spawn(f, ...)
    M.settle()
    return task
end

--- A function that returns once all that was sent before is here: what it sends to and fro on a connection of its own
--- comes behind that. And one that closes this connection.
function M.arrivals()
    local ping, pong = M.pair()
    return function()
        ping:send "."
        pong:recv(1)
    end, function()
        ping:close()
        pong:close()
    end
end

--- Lets every task that can run do so, until it waits.
function M.settle()
    echolot.spawn(function() end):join()
end

return M

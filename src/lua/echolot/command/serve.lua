--- echolot serve NAME: an embedded server as a program, until a signal ends it.
local catalogue = require "echolot.servers.catalogue"
local concurrency = require "echolot.concurrency"
local core = require "echolot.core"
local options_of = require "echolot.servers.options"
local server = require "echolot.servers.server"

local M = {}

-- Without a port: free ones; of a group, its members' own.
local DEFAULT_HOST = "127.0.0.1"

local function complain(message)
    io.stdout:flush()
    io.stderr:write("echolot: ", core.text.for_terminal(message, false), "\n")
end

local function find(name)
    local names = {}
    for i, definition in ipairs(catalogue) do
        if definition.name == name then
            return definition
        end
        names[i] = definition.name
    end
    return nil, ("no server '%s'; there are %s"):format(name, table.concat(names, ", "))
end

local function list(definition)
    print(("%-12s %s"):format(definition.name, definition.summary))
    for _, line in ipairs(options_of.describe(definition.options)) do
        print("  " .. line)
    end
end

local function list_all(only)
    for i, definition in ipairs(only and { only } or catalogue) do
        if i > 1 then
            print()
        end
        list(definition)
    end
    return 0
end

local function make(definition, settings)
    local given = options_of.parse("servers." .. definition.name, definition.options, settings)
    return server.constructor(definition)(given)
end

-- Says where it listens at once: who started us waits for that line.
local function serve(definition, options)
    local running = make(definition, options.set or {})
        :start(options.listen or DEFAULT_HOST, complain)
    for _, member in ipairs(running.members) do
        print(("listening on %s (%s)"):format(member.address, member.name))
        if member.udp and member.listener then
            print(("listening on %s (%s)"):format(member.udp.address, member.name))
        end
    end
    io.stdout:flush()
    core.waiter():wait() -- nothing wakes it: a signal ends the program
end

--- Runs the server; the exit status.
---@param options { listen?: string, set?: string[], list?: boolean, [integer]: string }
---@return integer
function M.main(options)
    local name = options[1]
    if #options > 1 then
        complain(("serve takes one NAME, not '%s' too"):format(options[2]))
        return 2
    elseif not name and not options.list then
        complain "serve needs a NAME (see echolot serve --list)"
        return 2
    end
    local definition, why
    if name then
        definition, why = find(name)
        if not definition then
            complain(why)
            return 2
        end
    end
    if options.list then
        return list_all(definition)
    end
    local ok, err = pcall(concurrency.run, serve, definition, options)
    if ok then
        return 0
    end
    if not (core.error.is(err) and err.kind == "cancelled") then -- as a signal does
        complain(tostring(err))
    end
    return core.error.is(err) and err.kind == "usage" and 2 or 1
end

return M

--- The suite words: what a test file calls to say which tests there are. Nothing runs here; the
--- runner walks the tree that comes of it.
local core = require "echolot.core"
local insulation = require "echolot.busted.insulation"
local property = require "echolot.property"
local target = require "echolot.target"

local M = {}

---@class echolot.suite.group
---@field name string
---@field parent? echolot.suite.group
---@field children table[] groups and tests, in the order of the file
---@field hooks table<string, function[]>
---@field tags string[]
---@field insulation? echolot.busted.insulation what an insulated group has made of the globals

---@class echolot.suite.test
---@field name string the full name: groups and test, separated by spaces
---@field parent echolot.suite.group
---@field line integer
---@field tags string[]
---@field body? function nil: pending
---@field reason? string why it is pending
---@field options table

local HOOKS = {
    before_each = "before_each", after_each = "after_each",
    setup = "setup", teardown = "teardown",
    lazy_setup = "lazy_setup", lazy_teardown = "lazy_teardown",
    strict_setup = "strict_setup", strict_teardown = "strict_teardown",
}

local function usage(op, message)
    error(core.error.new { kind = "usage", op = op, message = message }, 0)
end

local function new_group(name, parent)
    local group = { name = name, parent = parent, children = {}, hooks = {}, tags = {} }
    for _, hook in pairs(HOOKS) do
        group.hooks[hook] = {}
    end
    return group
end

-- The line of the script that called the suite word.
local function script_line()
    for level = 2, 20 do
        local info = debug.getinfo(level, "Sl")
        if not info then
            return 0
        end
        if info.currentline > 0 and not info.source:find("^=echolot/") then
            return info.currentline
        end
    end
    return 0
end

local function tags_of(name, parent, listed)
    local tags = core.json.array(table.move(parent.tags, 1, #parent.tags, 1, {}))
    for tag in name:gmatch "#(%S+)" do
        tags[#tags + 1] = tag
    end
    for _, tag in ipairs(listed or {}) do
        tags[#tags + 1] = tag
    end
    return tags
end

---@class echolot.suite.state
---@field root echolot.suite.group
---@field current? echolot.suite.group the group whose body runs; nil once the file has been read
---@field targets echolot.target[]
---@field own_targets table<string|table, echolot.target> of conversations with a target option
---@field unfinished? any the error of a group that is named and has no body yet
---@field running? table the test that runs now, as the runner sees it; within a property, its case
---@field timeout number seconds of each wait
---@field test_timeout number seconds of each test
---@field seed integer of the properties' cases

--- An empty suite.
---@return echolot.suite.state
function M.new()
    local root = new_group("", nil)
    return { root = root, current = root, targets = {}, own_targets = {} }
end

local function check_name(op, name)
    if type(name) ~= "string" then
        usage(op, "a name is expected first, got " .. type(name))
    end
end

local function check_body(op, body)
    if type(body) ~= "function" then
        usage(op, "a function is expected, got " .. type(body))
    end
end

local function current_group(state, op)
    if not state.current then
        usage(op, "cannot be called while tests run")
    end
    return state.current
end

local function add_test(state, op, name, body, options, reason)
    check_name(op, name)
    local group = current_group(state, op)
    local prefix = group.full_name
    local test = {
        name = prefix and prefix .. " " .. name or name,
        parent = group, line = script_line(), body = body, reason = reason,
        options = options or {}, tags = tags_of(name, group, options and options.tags),
    }
    table.insert(group.children, test)
    return test
end

-- A group whose body raised: of its tests none can be run, and one that fails stands for them.
local function fail_group(group, line, err)
    group.children, group.hooks = {}, new_group("", nil).hooks
    group.children[1] = {
        name = group.full_name, parent = group, line = line, options = {}, tags = group.tags,
        body = function()
            error(err, 0)
        end,
    }
end

local function make_describe(state, op)
    local describe
    function describe(name, body)
        check_name(op, name)
        if body == nil then
            -- describe "name" (f): a mistake only where nothing comes behind
            local ok, mistake = pcall(check_body, op, body)
            state.unfinished = not ok and mistake
            return function(behind)
                state.unfinished = nil
                check_body(op, behind)
                return describe(name, behind)
            end
        end
        check_body(op, body)
        local line = script_line()
        local outer = current_group(state, op)
        local group = new_group(name, outer)
        group.full_name = outer.full_name and outer.full_name .. " " .. name or name
        group.tags = tags_of(name, outer)
        table.insert(outer.children, group)
        state.current = group
        local restore = op == "insulate" and insulation.begin()
        local ok, err = pcall(body)
        state.current = outer
        if restore then
            group.insulation = restore()
        end
        if not ok and core.error.is(err) and err.kind == "usage" then
            error(err, 0)
        elseif not ok then
            fail_group(group, line, err)
        end
    end
    return describe
end

local function make_it(state, op)
    return function(name, body)
        if body == nil then
            local test = add_test(state, op, name, nil, nil, "not written yet")
            return function(behind) -- it "name" (f)
                check_body(op, behind)
                test.body, test.reason = behind, nil
            end
        end
        check_body(op, body)
        add_test(state, op, name, body)
    end
end

local function make_hook(state, op)
    return function(body)
        check_body(op, body)
        table.insert(current_group(state, op).hooks[HOOKS[op]], body)
    end
end

-- What connect takes, and what is the conversation's own.
local CONVERSATION_OPTIONS = { tags = true, peers = true, target = true }

local function connect_options(options)
    local rest = {}
    for key, value in pairs(options) do
        if not CONVERSATION_OPTIONS[key] then
            rest[key] = value
        end
    end
    return rest
end

local function connect_peers(state, options, body)
    local whom = options.target or state.targets[1] or target.given(state)
    if whom == nil then
        usage("conversation", "the file names no target: add `target \"host:port\"`, or run with --target")
    end
    if getmetatable(whom) ~= target.metatable then
        -- an address or a server of its own: started once, however often the test runs
        state.own_targets[whom] = state.own_targets[whom] or target.new(state, nil, whom)
        whom = state.own_targets[whom]
    end
    local peers, count = {}, options.peers or 1
    for i = 1, count do
        local given = connect_options(options)
        if count > 1 and not given.name then
            given.name = "peer " .. i
        end
        peers[i] = whom:connect(given)
    end
    return body(table.unpack(peers, 1, count))
end

local function make_conversation(state)
    return function(name, options, body)
        if body == nil and type(options) == "function" then
            options, body = {}, options
        end
        if body == nil then
            return add_test(state, "conversation", name, nil, options, "not written yet")
        end
        check_body("conversation", body)
        if type(options) ~= "table" then
            usage("conversation", "a table of options is expected, got " .. type(options))
        end
        local peers = options.peers
        if peers ~= nil and (math.type(peers) ~= "integer" or peers < 1) then
            usage("conversation", "option 'peers' is a whole number from 1")
        end
        local test = add_test(state, "conversation", name, function()
            return connect_peers(state, options, body)
        end, options)
        test.is_conversation = true
    end
end

-- Raised by `pending` within a test; told from every other error by its identity.
M.PENDING = {}

local function make_pending(state)
    return function(name, body)
        if state.running then
            state.running.reason = tostring(name or "pending")
            error(M.PENDING, 0)
        end
        add_test(state, "pending", name, nil, nil, "pending")
        return body
    end
end

local function make_finally(state)
    return function(body)
        check_body("finally", body)
        if not state.running then
            usage("finally", "can be called within a test only")
        end
        table.insert(state.running.finally, body)
    end
end

--- Puts the words into `env`, each bound to this suite.
---@param state echolot.suite.state
---@param env table
function M.install(state, env)
    for _, word in ipairs { "describe", "context", "insulate", "expose" } do
        env[word] = make_describe(state, word)
    end
    for _, word in ipairs { "it", "spec", "test" } do
        env[word] = make_it(state, word)
    end
    for word in pairs(HOOKS) do
        env[word] = make_hook(state, word)
    end
    env.conversation = make_conversation(state)
    env.property = property.word(state, add_test, M.PENDING)
    env.pending = make_pending(state)
    env.finally = make_finally(state)
    env.target = function(...)
        return target.declare(state, ...)
    end
end

return M

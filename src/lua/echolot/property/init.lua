--- Properties: a function called with many generated values, and what is told where it fails.
local case = require "echolot.property.case"
local choices = require "echolot.gen.choices"
local core = require "echolot.core"
local gen = require "echolot.gen"
local random = require "echolot.gen.random"
local search = require "echolot.property.search"
local values = require "echolot.property.values"
local verdict = require "echolot.property.verdict"

local M = {}

local RUNS, MAX_SHRINKS = 100, 2000

-- Transcripts of closed connections are Lua's to free, but it does not know how large they are.
local COLLECT_EVERY = 32

---@class echolot.property.options
---@field runs? integer cases (100)
---@field seed? integer instead of --seed
---@field max_shrinks? integer runs for the sake of shrinking at most (2000)
---@field timeout? number seconds that one case may take
---@field tags? string[]

---@class echolot.property
---@field state echolot.suite.state
---@field name string full
---@field generators echolot.gen[]
---@field body function
---@field names string[] of its parameters
---@field runs integer
---@field max_shrinks integer
---@field case_timeout number
---@field seed integer
---@field own_seed boolean it is the script's, not --seed
---@field limit number seconds of the whole test
---@field deadline number when to stop, so that what is known is told before the test's own time is up
---@field facts table those of its hooks
---@field count integer cases run so far
---@field tries integer cases run, those of shrinking among them
---@field slowest number seconds of a case that passed
local property = {}
property.__index = property

local function usage(text, ...)
    error(core.error.new { kind = "usage", op = "property", message = text:format(...) }, 0)
end

--- The values that a source's choices make.
---@param source echolot.choices.source
---@return table packed
function property:make(source)
    local made = { n = #self.generators }
    for i, generator in ipairs(self.generators) do
        made[i] = generator.draw(source)
    end
    return made
end

-- Should the case take the worker with it, the supervisor knows which one it was.
local function announce(self, made)
    local parts = {}
    for i = 1, made.n do
        parts[i] = ("%s = %s"):format(self.names[i], values.brief(made[i]))
    end
    self.state.emit { event = "case", text = verdict.running(self) .. " " .. table.concat(parts, ", ") }
end

--- Runs a case. Its time is what its option says, and never more than what is left.
---@param made table packed
---@return echolot.property.outcome
function property:try(made)
    self.tries = self.tries + 1
    if self.tries % COLLECT_EVERY == 0 then
        collectgarbage()
    end
    announce(self, made)
    local left = math.max(self.deadline - core.now(), 0.001)
    local outcome = case.run(self.state, self.body, made, math.min(left, self.case_timeout))
    if outcome.expired then
        outcome.out_of_time = left <= self.case_timeout
    elseif outcome.err == self.pending then
        outcome.kind = "pending"
    end
    return outcome
end

-- The first case is the simplest there is: what fails always is told at once, and in its shortest form.
local function new_source(key, number)
    local chance = random.new(key, number)
    return number == 1 and choices.simplest(chance) or choices.random(chance)
end

-- What a case wrote down becomes the test's: its facts and steps replace those of the case before.
local function take_over(self, outcome)
    local run, own = self.state.running, outcome.run
    run.checks, run.steps, run.facts = run.checks + own.checks, own.steps, own.facts
    for name, value in pairs(self.facts) do
        run.facts[name] = own.facts[name] == nil and value or own.facts[name]
    end
end

local function tell(self, logs)
    for _, text in ipairs(logs) do
        self.state.emit { event = "log", text = text, name = self.name }
    end
end

local function run_cases(self)
    local run = self.state.running
    local key = random.key(self.seed, self.name)
    local outcome, logs = nil, {}
    for number = 1, self.runs do
        if core.now() >= self.deadline then
            verdict.raise_late(self)
        end
        local source = new_source(key, number)
        self.count = number
        outcome = self:try(self:make(source))
        if outcome.kind == "pending" then
            run.reason = outcome.run.reason
            error(self.pending, 0)
        elseif outcome.failed then
            local found = search.smallest(self, source, outcome)
            take_over(self, found.outcome)
            tell(self, found.outcome.run.logs) -- what the good cases said would hide it
            verdict.raise(self, found)
        end
        self.slowest = math.max(self.slowest, outcome.duration)
        take_over(self, outcome)
        table.move(outcome.run.logs, 1, #outcome.run.logs, #logs + 1, logs)
    end
    tell(self, logs)
    run.transcript, run.dropped = case.transcript(outcome)
    run.property = { runs = self.runs, cases = self.runs, seed = self.seed }
end

-- What is left behind for the report, once shrinking has to end.
local function reserve(limit)
    return math.min(1, limit / 10)
end

local function run_test(state, pending, spec)
    local options, run = spec.options, state.running
    run_cases(setmetatable({
        state = state, pending = pending, name = run.test.name, facts = run.facts,
        names = values.names(spec.body, #spec.generators), generators = spec.generators, body = spec.body,
        runs = options.runs or RUNS, max_shrinks = options.max_shrinks or MAX_SHRINKS,
        case_timeout = options.timeout or math.huge, seed = options.seed or state.seed,
        own_seed = options.seed ~= nil, limit = state.test_timeout,
        deadline = run.started + state.test_timeout - reserve(state.test_timeout), count = 0, tries = 0, slowest = 0,
    }, property))
end

local function whole_from(min)
    return function(value)
        local whole = math.type(value) and math.tointeger(value)
        return whole and whole >= min and whole or nil
    end
end

-- What each option is, as it is used; nil where it is nothing of the kind.
local OPTIONS = {
    runs = { "a whole number from 1", whole_from(1) },
    seed = { "a whole number", whole_from(math.mininteger) },
    max_shrinks = { "a whole number from 0", whole_from(0) },
    timeout = { "a positive number of seconds", function(value)
        return math.type(value) and value > 0 and value or nil
    end },
    tags = { "a list", function(value) return type(value) == "table" and value or nil end },
}

local function check_options(given)
    local options = {}
    for key, value in pairs(given) do
        local option = OPTIONS[key]
        if not option then
            usage("there is no option '%s'", tostring(key))
        end
        options[key] = option[2](value)
        if options[key] == nil then
            usage("option '%s' is %s", key, option[1])
        end
    end
    return options
end

-- property(name [, options], generator, ..., f)
local function read_arguments(...)
    local given = table.pack(...)
    local options, first = {}, 1
    if type(given[1]) == "table" and not gen.is(given[1]) then
        options, first = check_options(given[1]), 2
    end
    local last = given.n
    while last >= first and given[last] == nil do
        last = last - 1
    end
    local body = type(given[last]) == "function" and given[last] or nil
    local generators = table.move(given, first, body and last - 1 or last, 1, {})
    for i = first, body and last - 1 or last do
        if not gen.is(given[i]) then
            usage("a generator is expected, got %s: property(name [, options], generator, ..., f)", type(given[i]))
        end
    end
    if body and #generators == 0 then
        usage "a generator is expected before the function"
    end
    return { options = options, generators = generators, body = body }
end

--- The suite word.
---@param state echolot.suite.state
---@param add_test fun(state: table, op: string, name: string, body?: function, options: table, reason?: string)
---@param pending table what `pending` raises
function M.word(state, add_test, pending)
    return function(name, ...)
        if type(name) ~= "string" then
            usage("a name is expected first, got %s", type(name))
        end
        local spec = read_arguments(...)
        local body = spec.body and function()
            return run_test(state, pending, spec)
        end
        add_test(state, "property", name, body, spec.options, not body and "not written yet" or nil)
    end
end

return M

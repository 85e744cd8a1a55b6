--- The report for a person: a line for each test as it ends, then the failures, each with what is
--- known of it, then the counts.
local columns = require "echolot.report.columns"
local core = require "echolot.core"
local facts = require "echolot.report.facts"
local failure = require "echolot.report.failure"
local styles = require "echolot.report.style"
local tally = require "echolot.run.tally"
local transcript = require "echolot.report.transcript"

local M = {}

local pretty = {}
pretty.__index = pretty

local SHOWN_EVENTS = 60

-- Of what one test says: the newest so many, and of each so many bytes.
local LOGS_MAX, LOG_BYTES_MAX = 1000, 10000

local COLORS = { pass = "green", fail = "red", error = "red", timeout = "red", skip = "yellow" }

---@param sink echolot.report.sink
---@param options table
function M.new(sink, options)
    return setmetatable({
        sink = sink, style = styles.new(options.color, sink.path == nil),
        quiet = options.quiet, verbose = options.verbose,
        transcripts = options.transcript or "failed",
        lines = {}, -- of files that wait for their turn to be shown
        order = {}, failures = {}, logs = {},
    }, pretty)
end

local function clean(text)
    return core.text.for_terminal(text, false)
end

local function seconds(s)
    if s < 0.0995 then
        return ("%.0f ms"):format(s * 1000)
    end
    return s < 99.5 and ("%.1f s"):format(s) or ("%.0f s"):format(s)
end

-- Lines of files that run side by side never mix: the first that has not ended is shown as it
-- goes, the others when their turn comes.
local function say(self, path, text)
    if self.order[1] == path then
        self.sink:write(text .. "\n")
    else
        local waiting = self.lines[path]
        waiting[#waiting + 1] = text
    end
end

local function file_start(self, event)
    if self.lines[event.path] then
        return
    end
    self.lines[event.path] = {}
    self.order[#self.order + 1] = event.path
    if not self.quiet then
        say(self, event.path, self.style.paint("bold", clean(event.path)))
    end
end

local function file_end(self, event)
    if not self.lines[event.path] then
        file_start(self, event)
    end
    if event.error then
        self.failures[#self.failures + 1] = event
        if not self.quiet then
            say(self, event.path, ("  %s %s"):format(
                self.style.paint("red", self.style.symbols.error),
                event.error.kind == "load" and "does not load" or "error outside of its tests"))
        end
    end
    self.lines[event.path].done = true
    while self.order[1] and self.lines[self.order[1]].done do
        table.remove(self.order, 1)
        local next_path = self.order[1]
        if next_path then
            for _, text in ipairs(self.lines[next_path]) do
                self.sink:write(text .. "\n")
            end
            self.lines[next_path] = { done = self.lines[next_path].done }
        end
    end
end

-- Tests of different files may have one name, and run side by side.
local function log_key(event)
    return event.path .. "\0" .. event.name
end

local function put_log(self, text, indent, out)
    for line in (text .. "\n"):gmatch "(.-)\n" do
        -- The tabs are those that print puts between its values.
        failure.put(out, self.style, "| " .. clean((line:gsub("\t", "  "))),
            { indent = indent, hang = 2, color = "dim" })
    end
end

local function keep_log(self, key, text)
    local list = self.logs[key] or { dropped = 0 }
    if #list == 2 * LOGS_MAX then
        list = table.move(list, LOGS_MAX + 1, #list, 1, { dropped = list.dropped + LOGS_MAX })
    end
    list[#list + 1] = text
    self.logs[key] = list
end

local function show_log(self, event)
    if event.name and event.path then
        keep_log(self, log_key(event), event.text:sub(1, LOG_BYTES_MAX))
    elseif self.lines[event.path] and not self.quiet then
        local out = {}
        put_log(self, event.text, "    ", out)
        for _, line in ipairs(out) do
            say(self, event.path, line)
        end
    end
end

local function log_lines(self, event, indent, out)
    local list = self.logs[log_key(event)]
    if not list then
        return
    end
    local first = math.max(#list - LOGS_MAX + 1, 1)
    local dropped = list.dropped + first - 1
    if dropped > 0 then
        out[#out + 1] = indent .. self.style.paint("dim", ("(%d earlier lines)"):format(dropped))
    end
    for at = first, #list do
        put_log(self, list[at], indent, out)
    end
end

local function test_line(self, event, note)
    local style, lines = self.style, {}
    local symbol = style.symbols[event.status]
    local front = ("  %s "):format(symbol)
    local hang = (" "):rep(columns.width(front))
    failure.put(lines, style, clean(event.name), { indent = hang })
    local last = lines[#lines]
    if style.width and columns.width(last) + columns.width(note) > style.width then
        failure.put(lines, style, note:sub(2), { indent = hang, color = "dim" })
    else
        lines[#lines] = last .. style.paint("dim", note)
    end
    for i, line in ipairs(lines) do
        say(self, event.path, i == 1 and ("  %s %s"):format(style.paint(COLORS[event.status], symbol),
            line:sub(#hang + 1)) or line)
    end
end

-- What is known of a test that is no failure, as far as it is wanted.
local function details(self, event, out)
    local view = { style = self.style, indent = "      ", width = self.style.width }
    if self.verbose then
        facts.lines(event, self.style, view.indent, out, true)
        log_lines(self, event, view.indent, out)
    end
    if self.transcripts == "always" then
        view.events = not self.verbose and SHOWN_EVENTS or nil
        transcript.lines(event.transcript, event.transcript_dropped, view, out)
    elseif self.verbose then
        transcript.unread(event.transcript, view, out)
    end
end

local function test_end(self, event)
    local style = self.style
    local bad = event.status ~= "pass" and event.status ~= "skip"
    if bad then
        event.logs = {}
        log_lines(self, event, "       ", event.logs)
        self.failures[#self.failures + 1] = event
    end
    if not self.quiet and self.lines[event.path] then
        local note = event.status == "skip" and (" (%s)"):format(clean(event.reason or "skipped"))
            or event.status == "pass" and event.property
            and (" (%d cases, %s)"):format(event.property.cases, seconds(event.duration))
            or event.duration >= 0.0005 and (" (%s)"):format(seconds(event.duration)) or ""
        test_line(self, event, note)
        local below = {}
        if not bad then
            details(self, event, below)
        end
        for _, line in ipairs(below) do
            say(self, event.path, line)
        end
    end
    self.logs[log_key(event)] = nil
end

local function run_end(self, event)
    -- what a file had to say that was cut short
    for _, path in ipairs(self.order) do
        for _, text in ipairs(self.lines[path]) do
            self.sink:write(text .. "\n")
        end
    end
    local options = { transcript = self.transcripts ~= "never", verbose = self.verbose }
    for i, event_of in ipairs(self.failures) do
        self.sink:write(table.concat(failure.lines(i, event_of, self.style, options), "\n") .. "\n")
    end
    local counts = event.counts
    local good = counts.failed + counts.errors == 0 and counts.passed + counts.skipped > 0
    if event.interrupted then
        self.sink:write("\n" .. self.style.paint("yellow", "interrupted; what had finished:") .. "\n")
    end
    local line = tally.line(counts)
    self.sink:write(("\n%s\n%s\n"):format(
        self.style.paint("dim", ("in %s"):format(seconds(event.duration))),
        self.style.color and self.style.paint(good and "green" or "red", line) or line))
end

local HANDLERS = {
    file_start = file_start, file_end = file_end, test_end = test_end, log = show_log,
    run_end = run_end,
}

function pretty:event(event)
    local handler = HANDLERS[event.event]
    if handler then
        handler(self, event)
    end
end

return M

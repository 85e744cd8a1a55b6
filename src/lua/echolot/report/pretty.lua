--- The report for a person: a line for each test as it ends, then the failures, each with what is
--- known of it, then the counts.
local core = require "echolot.core"
local styles = require "echolot.report.style"
local tally = require "echolot.tally"
local transcript = require "echolot.report.transcript"

local M = {}

local pretty = {}
pretty.__index = pretty

local COLORS = { pass = "green", fail = "red", error = "red", timeout = "red", skip = "yellow" }
local TITLES = { fail = "FAILED", error = "ERROR", timeout = "TIMEOUT" }

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

local function show_log(self, event)
    if event.name then
        local list = self.logs[event.name] or {}
        self.logs[event.name] = list
        list[#list + 1] = event.text
    elseif event.path and self.lines[event.path] and not self.quiet then
        say(self, event.path, "    " .. self.style.paint("dim", "| " .. clean(event.text)))
    end
end

local function log_lines(self, event, indent, out)
    for _, text in ipairs(self.logs[event.name] or {}) do
        for line in (text .. "\n"):gmatch "(.-)\n" do
            out[#out + 1] = indent .. self.style.paint("dim", "| " .. clean(line))
        end
    end
end

local function test_end(self, event)
    local style = self.style
    local bad = event.status ~= "pass" and event.status ~= "skip"
    if bad then
        event.logs = {}
        log_lines(self, event, "     ", event.logs)
        self.failures[#self.failures + 1] = event
    end
    if not self.quiet and self.lines[event.path] then
        local note = event.status == "skip" and (" (%s)"):format(clean(event.reason or "skipped"))
            or event.status == "pass" and event.property
            and (" (%d cases, %s)"):format(event.property.cases, seconds(event.duration))
            or event.duration >= 0.0005 and (" (%s)"):format(seconds(event.duration)) or ""
        say(self, event.path, ("  %s %s%s"):format(
            style.paint(COLORS[event.status], style.symbols[event.status]), clean(event.name),
            style.paint("dim", note)))
        local below = {}
        if self.verbose and not bad then
            log_lines(self, event, "      ", below)
        end
        if self.transcripts == "always" and not bad then
            transcript.lines(event, style, "      ", below)
        end
        for _, line in ipairs(below) do
            say(self, event.path, line)
        end
    end
    self.logs[event.name] = nil
end

-- The difference with its lines coloured, where the error bears one; else the message's own.
local function message_lines(self, err, out)
    local style = self.style
    local text = err.message
    if type(err.diff) == "table" and err.summary then
        text = err.summary
    end
    for line in (text .. "\n"):gmatch "(.-)\n" do
        out[#out + 1] = "     " .. core.text.for_terminal(line, false)
    end
    if text == err.message then
        return
    end
    local colors = { expected = "green", actual = "red", path = "bold", note = "cyan" }
    for _, part in ipairs(err.diff) do
        local line = clean(part.text)
        out[#out + 1] = "     " .. (colors[part.kind] and style.paint(colors[part.kind], line) or line)
    end
end

local function show_failure(self, number, event)
    local style, err = self.style, event.error or {}
    local out = {}
    local title = TITLES[event.status] or "ERROR"
    local place = event.line and ("%s:%d"):format(event.path, event.line) or event.path
    out[#out + 1] = ""
    out[#out + 1] = ("%2d)  %s %s"):format(number, style.paint("red", title),
        style.paint("bold", clean(event.name or (err.kind == "load" and "does not load" or "outside of its tests"))))
    out[#out + 1] = "     " .. style.paint("dim", clean(place))
    if err.message then
        out[#out + 1] = ""
        if err.where and not err.message:find(err.where, 1, true) then
            out[#out + 1] = "     " .. style.paint("cyan", clean(err.where) .. ":")
        end
        message_lines(self, err, out)
    end
    -- Every check that failed, not the one alone that gave the test its error.
    for i, check in ipairs(event.failed_checks or {}) do
        if i > 1 or check.message ~= err.message then
            out[#out + 1] = ""
            if check.where then
                out[#out + 1] = "     " .. style.paint("cyan", clean(check.where) .. ":")
            end
            message_lines(self, check, out)
        end
    end
    if err.traceback then
        for line in err.traceback:gmatch "[^\n]+" do
            out[#out + 1] = "     " .. style.paint("dim", core.text.for_terminal(line:gsub("^\t", "  "), false))
        end
    end
    table.move(event.logs or {}, 1, #(event.logs or {}), #out + 1, out)
    if self.transcripts ~= "never" then
        transcript.lines(event, style, "     ", out)
    end
    self.sink:write(table.concat(out, "\n") .. "\n")
end

local function run_end(self, event)
    -- what a file had to say that was cut short
    for _, path in ipairs(self.order) do
        for _, text in ipairs(self.lines[path]) do
            self.sink:write(text .. "\n")
        end
    end
    for i, failure in ipairs(self.failures) do
        show_failure(self, i, failure)
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

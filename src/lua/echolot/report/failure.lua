--- One failure as the report for a person shows it: what and where, the difference, the script's lines, and what else
--- is known of the test.
local columns = require "echolot.report.columns"
local core = require "echolot.core"
local facts = require "echolot.report.facts"
local source = require "echolot.report.source"
local transcript = require "echolot.report.transcript"

local M = {}

local INDENT = "     "
local TITLES = { fail = "FAILED", error = "ERROR", timeout = "TIMEOUT" }
local LINE_COLORS = { expected = "green", actual = "red", path = "bold", note = "cyan" }
local FRAMES, EVENTS, CHECKS, WIDEST_SOURCE = 12, 40, 10, 160

local function clean(text)
    return core.text.for_terminal(tostring(text), false)
end

--- Appends a text to `out`, in lines that the terminal has room for.
---@param out string[]
---@param style echolot.style
---@param text string without control bytes
---@param options? {indent: string?, hang: integer?, color: string?}
function M.put(out, style, text, options)
    options = options or {}
    local indent = options.indent or INDENT
    local lines = { text }
    if style.width then
        lines = columns.wrap(text, math.max(style.width - #indent - (options.hang or 0), 8))
    end
    for index, line in ipairs(lines) do
        local front = index == 1 and indent or indent .. (" "):rep(options.hang or 0)
        out[#out + 1] = front .. (options.color and style.paint(options.color, line) or line)
    end
end

-- Places -----------------------------------------------------------------------------------------------------------

-- Lua shortens a long path by its start; the file's own is known.
local function full_path(path, event)
    local tail = path:match "^%.%.%.(.+)$"
    return tail and event.path and event.path:sub(-#tail) == tail and event.path or path
end

---@class echolot.report.frame
---@field path string
---@field line integer
---@field what? string
---@field times? integer how often it stands there in a row

---@param text? string
---@param event table
---@return echolot.report.frame?
local function place_of(text, event)
    local path, line = (text or ""):match "^%s*([^\n]-):(%d+)$"
    return path and { path = full_path(path, event), line = tonumber(line) } or nil
end

local function same_place(a, b)
    return a and b and a.path == b.path and a.line == b.line
end

-- What a function is called in a traceback, without saying how Lua came to know its name.
local function describe_function(what, event)
    local path, line = what:match "^function <(.-):(%d+)>$"
    if path and full_path(path, event) == event.path and tonumber(line) == event.line or what == "field 'body'" then
        return "the test"
    elseif path then
        return "a function at " .. (full_path(path, event) == event.path and "line " .. line or path .. ":" .. line)
    end
    return (what:gsub("^%a+ ('.+')$", "%1"))
end

-- The script's own frames of a traceback, innermost first.
local function frames_of(err, event)
    local frames, skipped = {}, 0
    for line in (err.traceback or ""):gmatch "[^\n]+" do
        local levels = tonumber(line:match "skipping (%d+) levels")
        skipped = levels and levels + 1 or skipped -- the library has gone one further when it counts
        local place, what = line:match "^%s+(.-:%d+): in (.+)$"
        local frame = place and place_of(place, event)
        if frame and not place:find "^%[" then
            frame.what = describe_function(what, event)
            local last = frames[#frames]
            if last and same_place(last, frame) and last.what == frame.what then
                last.times = last.times + 1 + skipped
            else
                frame.times = 1
                frames[#frames + 1] = frame
            end
            skipped = 0
        end
    end
    return frames
end

-- Where it went wrong: as the error says, or its message begins, or the innermost frame. Then the message, and
-- whether it tells the place itself.
local function find_place(err, event, frames)
    local place = place_of(err.where, event)
    if place then
        return place, err.message, false
    end
    local message = err.message or ""
    local hook = message:match "^setup: " or message:match "^teardown: " or ""
    local front, rest = message:sub(#hook + 1):match "^([^\n]-:%d+): (.*)$"
    place = front and place_of(front, event)
    if place and (place.path == event.path or place.path:find "%.lua$") then
        return place, ("%s%s:%d: %s"):format(hook, place.path, place.line, rest), true
    end
    return frames[1], err.message, false
end

local function put_place(out, style, place, event)
    local text = ("%s:%d"):format(clean(place.path), place.line)
    local note = ""
    if event.line and (place.path ~= event.path) then
        note = (" (called by the test at %s:%d)"):format(clean(event.path), event.line)
    end
    out[#out + 1] = INDENT .. style.paint("cyan", text) .. style.paint("dim", note)
end

-- The first line that was shown comes back.
local function put_source(out, style, place, event)
    local same_file = place.path == event.path
    local lines = source.around(place.path, place.line, same_file and event.line or nil)
    if #lines > 0 then
        out[#out + 1] = ""
    end
    local digits = #lines > 0 and #tostring(lines[#lines].number) or 0
    for _, line in ipairs(lines) do
        local front = ("%s %" .. digits .. "d | "):format(line.marked and ">" or " ", line.number)
        local text = clean(line.text)
        local room = math.max((style.width or WIDEST_SOURCE) - #INDENT - #front, 8)
        text = columns.width(text) > room and columns.chunks(text, room - 2)[1] .. ".." or text
        out[#out + 1] = INDENT .. style.paint("dim", front) .. (line.marked and text or style.paint("dim", text))
    end
    return lines[1] and lines[1].number or place.line
end

-- Messages ---------------------------------------------------------------------------------------------------------

-- Lines that belong together, as two that part and the mark below them, are cut alike where they are too long: around
-- the mark.
local function crop(parts, room)
    local texts, widest, mark = {}, 0, nil
    for index, part in ipairs(parts) do
        texts[index] = clean(part.text)
        widest = math.max(widest, columns.width(texts[index]))
        local blanks = part.kind == "note" and texts[index]:match "^( +)%^+$"
        mark = blanks and #blanks or mark
    end
    if not mark or widest <= room then
        return texts, mark ~= nil
    end
    local inside = room - 8
    local first = math.max(4, math.min(mark - inside // 2, widest - inside))
    local fold = texts[1]:match "^  [-+] <%d+ bytes?>"
    first = first > 4 and fold and math.max(first, math.min(#fold, mark)) or first
    for index, text in ipairs(texts) do
        local cut = columns.slice(text, first, first + inside - 1)
        local is_mark = parts[index].kind == "note"
        local left = is_mark and "  " or ".."
        local right = not is_mark and columns.width(text) > first + inside and ".." or ""
        texts[index] = text:sub(1, 4) .. (first > 4 and left or "") .. cut .. right
    end
    return texts, true
end

--- The difference, in groups that end with a mark.
local function put_difference(out, style, lines)
    local group = {}
    local function flush()
        local room = style.width and math.max(style.width - #INDENT, 16) or math.huge
        local texts, whole = crop(group, room)
        for index, text in ipairs(texts) do
            local color = LINE_COLORS[group[index].kind]
            if whole then
                out[#out + 1] = INDENT .. (color and style.paint(color, text) or text)
            else
                local indent = text:match "^ *"
                M.put(out, style, text:sub(#indent + 1), { indent = INDENT .. indent, hang = 2, color = color })
            end
        end
        group = {}
    end
    for _, part in ipairs(lines) do
        if part.kind == "note" and tostring(part.text):find "^ +%^+$" then
            -- A mark belongs to the two lines above it; those before them stand for themselves.
            local marked = table.move(group, math.max(#group - 1, 1), #group, 1, {})
            group = table.move(group, 1, #group - #marked, 1, {})
            flush()
            marked[#marked + 1] = part
            group = marked
            flush()
        else
            group[#group + 1] = part
        end
    end
    flush()
end

-- Whom an expectation was about, where there were several.
local function party_of(err, event)
    local first
    for _, one in ipairs(type(event.transcript) == "table" and event.transcript or {}) do
        first = first or one.conn
        if one.conn ~= first and err.address then
            return clean(err.peer or err.address) .. ": "
        end
    end
    return ""
end

local function put_message(out, style, err, message, event)
    local text = tostring(message or "")
    if err.summary then
        text = party_of(err, event) .. tostring(err.summary)
    end
    for line in (text .. "\n"):gmatch "(.-)\n" do
        line = line:gsub("^\t+", function(tabs) return ("    "):rep(#tabs) end)
        local indent = line:match "^ *"
        M.put(out, style, clean(line:sub(#indent + 1)), { indent = INDENT .. indent })
    end
    if err.summary and type(err.diff) == "table" then
        put_difference(out, style, err.diff)
    end
end

-- Frames that the quoted lines show anyway say nothing new.
local function put_frames(out, style, frames, place, first_shown)
    local first = same_place(frames[1], place) and 2 or 1
    local news = false
    for index = first, #frames do
        local frame = frames[index]
        news = news or not place or frame.path ~= place.path or frame.line > place.line or frame.line < first_shown
    end
    if not news then
        return
    end
    out[#out + 1] = ""
    out[#out + 1] = INDENT .. style.paint("dim", "called from:")
    for index = first, math.min(#frames, first + FRAMES - 1) do
        local frame = frames[index]
        out[#out + 1] = INDENT .. style.paint("dim",
            ("  %s:%d: in %s%s"):format(clean(frame.path), frame.line, clean(frame.what),
                frame.times > 1 and (" (%d times)"):format(frame.times) or ""))
    end
    if #frames >= first + FRAMES then
        out[#out + 1] = INDENT .. style.paint("dim", ("  (%d more)"):format(#frames - first - FRAMES + 1))
    end
end

-- `shown` is the place that was shown last: what failed there too, as in a loop, needs no second look at it.
-- Returns the place.
local function put_error(out, style, err, event, shown)
    local frames = frames_of(err, event)
    local place, message, told = find_place(err, event, frames)
    place = place or event.line and { path = event.path, line = event.line } or nil
    if same_place(place, shown) then
        put_message(out, style, err, message, event)
        return place
    end
    if not told then
        if place then
            put_place(out, style, place, event)
        end
        out[#out + 1] = ""
    end
    local first_line = #out + 1
    put_message(out, style, err, message, event)
    if told then
        local text = clean(("%s:%d"):format(place.path, place.line))
        local line = out[first_line]:sub(#INDENT + 1)
        if line:sub(1, #text) == text then
            out[first_line] = INDENT .. style.paint("cyan", text) .. line:sub(#text + 1)
        end
    end
    local first_shown = place and put_source(out, style, place, event)
    put_frames(out, style, frames, place, first_shown)
    return place
end

-- Every check that failed, not the one alone that gave the test its error.
local function put_checks(out, style, err, event, shown)
    local checks = event.failed_checks or {}
    for index, check in ipairs(checks) do
        if index > CHECKS then
            out[#out + 1] = ""
            out[#out + 1] = INDENT .. style.paint("bold", ("and %d more failed checks"):format(#checks - CHECKS))
            break
        elseif index > 1 or check.message ~= err.message then
            out[#out + 1] = ""
            shown = put_error(out, style, check, event, shown)
        end
    end
end

-- The whole --------------------------------------------------------------------------------------------------------

local function title_of(event)
    if event.name then
        return event.name
    end
    return event.error and event.error.kind == "load" and "does not load" or "outside of its tests"
end

--- The lines of a failure.
---@param number integer
---@param event table a test_end or a file_end, `logs` being the lines that the test has written
---@param style echolot.style
---@param options {transcript: boolean, verbose: boolean}
---@return string[]
function M.lines(number, event, style, options)
    local out, err = { "" }, event.error or {}
    local front = ("%2d)  "):format(number)
    local title = TITLES[event.status] or "ERROR"
    local name = {}
    M.put(name, style, clean(title_of(event)), { indent = (" "):rep(#front + #title + 1) })
    for index, line in ipairs(name) do
        local text = style.paint("bold", line:sub(#front + #title + 2))
        out[#out + 1] = index == 1 and front .. style.paint("red", title) .. " " .. text
            or (" "):rep(#front + #title + 1) .. text
    end
    put_checks(out, style, err, event, put_error(out, style, err, event))
    facts.lines(event, style, INDENT, out)
    if event.logs and #event.logs > 0 then
        out[#out + 1] = ""
        out[#out + 1] = INDENT .. style.paint("bold", "log:")
        table.move(event.logs, 1, #event.logs, #out + 1, out)
    end
    if options.transcript and type(event.transcript) == "table" and #event.transcript > 0 then
        out[#out + 1] = ""
        transcript.lines(event.transcript, event.transcript_dropped, {
            style = style, indent = INDENT, width = style.width, events = not options.verbose and EVENTS or nil,
        }, out)
    end
    return out
end

return M

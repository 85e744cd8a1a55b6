-- The embedded echo server: every option alone, pairs that touch each other, and all of them
-- together against a model: what such a server answers, as a plain function of the input.
local echolot = require "echolot"

local FAR_S = 3600 -- a pause that no test outlives

local function connect(options)
    return echolot.connect(echolot.servers.echo(options):start())
end

-- What comes back for `input` when our half ends behind it.
local function answer(options, input)
    local peer <close> = connect(options)
    return peer:send(input):shutdown():read "a"
end

-- What each receive gives, up to the end.
local function pieces(peer)
    local list = {}
    while true do
        local piece = peer:recv()
        if piece == "" then
            return list
        end
        list[#list + 1] = piece
    end
end

describe("echo", function()
    it("sends each line back as it came", function()
        assert.equal("one\ntwo\r\n\nthree\n", answer(nil, "one\ntwo\r\n\nthree\n"))
    end)

    it("answers a line without waiting for the next", function()
        local peer <close> = connect()
        assert.equal("one\n", peer:send("one\n"):recv())
        assert.equal("two\n", peer:send("two\n"):recv())
    end)

    it("answers nothing before a line is whole", function()
        local peer <close> = connect()
        peer:send "first\nhalf"
        assert.equal("first\n", peer:recv())
        local err = assert.has_error(function()
            peer:timeout(0.02):recv()
        end)
        assert.equal("timeout", err.kind)
        assert.equal("half a line\n", peer:timeout(5):send(" a line\n"):recv())
    end)

    it("answers a last line without its end", function()
        assert.equal("one\ntwo", answer(nil, "one\ntwo"))
    end)

    it("ends when the client does", function()
        assert.equal("", answer(nil, ""))
    end)

    it("keeps every byte as it is", function()
        local bytes = {}
        for i = 0, 255 do
            bytes[#bytes + 1] = string.char(i)
        end
        local all = table.concat(bytes)
        assert.equal(all, answer(nil, all))
        assert.equal(all, answer({ framing = "raw" }, all))
        assert.equal(all:upper(), answer({ reply = "upper" }, all))
    end)
end)

describe("framing raw", function()
    it("answers what has come, be it a line or not", function()
        local peer <close> = connect { framing = "raw" }
        assert.equal("half", peer:send("half"):recv())
        assert.equal(" a line\nand", peer:send(" a line\nand"):recv())
    end)

    it("has no ends of its own", function()
        local peer <close> = connect { framing = "raw", reply = "count" }
        assert.equal("5", peer:send("four\n"):recv())
    end)

    it("puts an end behind each reply where one is asked for", function()
        local peer <close> = connect { framing = "raw", terminator = "crlf" }
        assert.equal("half\r\n", peer:send("half"):recv())
    end)
end)

describe("reply", function()
    it("upper, lower, reverse", function()
        assert.equal("HELLO, W1\n", answer({ reply = "upper" }, "Hello, w1\n"))
        assert.equal("hello, w1\n", answer({ reply = "lower" }, "Hello, W1\n"))
        assert.equal("olleh\r\nba\n", answer({ reply = "reverse" }, "hello\r\nab\n"))
    end)

    it("previous is the line before, empty at first", function()
        assert.equal("\none\ntwo", answer({ reply = "previous" }, "one\ntwo\nthree"))
    end)

    it("previous is each client's own", function()
        local running = echolot.servers.echo({ reply = "previous" }):start()
        local a <close> = echolot.connect(running)
        local b <close> = echolot.connect(running)
        a:send("from a\n"):read "l"
        assert.equal("", b:send("from b\n"):read "l")
        assert.equal("from a", a:send("again\n"):read "l")
    end)

    it("count is the length in bytes, without the end", function()
        assert.equal("5\n6\r\n0\n", answer({ reply = "count" }, "hello\nh\u{e9}llo\r\n\n"))
    end)

    it("hash is the CRC-32", function()
        -- The check value of the CRC catalogues; of nothing; and of lengths around a word.
        assert.equal("cbf43926\n00000000\n", answer({ reply = "hash" }, "123456789\n\n"))
        assert.equal("e8b7be43\n9e83486d\n352441c2\ned82cd11\n",
            answer({ reply = "hash" }, "a\nab\nabc\nabcd\n"))
    end)
end)

describe("terminator", function()
    it("lf, crlf, none", function()
        assert.equal("a\nb\nc\n", answer({ terminator = "lf" }, "a\nb\r\nc"))
        assert.equal("a\r\nb\r\nc\r\n", answer({ terminator = "crlf" }, "a\nb\r\nc"))
        assert.equal("abc", answer({ terminator = "none" }, "a\nb\r\nc"))
    end)

    it("a CR within a line is text", function()
        assert.equal("a\rb\nc\r\r\n", answer({ terminator = "same", repeat_reply = 1 }, "a\rb\nc\r\r\n"))
        assert.equal("3\n2\n", answer({ reply = "count" }, "a\rb\nc\r\r\n"):gsub("\r", ""))
    end)

    it("a CR at the very end is text, too", function()
        assert.equal("2", answer({ reply = "count" }, "a\r"))
    end)

    it("a CR and its LF may come apart", function()
        local peer <close> = connect { terminator = "lf", reply = "count" }
        peer:send "one\r"
        assert.equal("timeout", assert.has_error(function()
            peer:timeout(0.02):recv()
        end).kind)
        assert.equal("3\n", peer:timeout(5):send("\n"):recv())
    end)
end)

describe("chunk", function()
    it("sends a reply in pieces of so many bytes", function()
        local peer <close> = connect { chunk = 4, chunk_delay = 0.001 }
        peer:send("hello, you\n"):shutdown()
        assert.same({ "hell", "o, y", "ou\n" }, pieces(peer))
    end)

    it("keeps the pieces of two replies apart, too", function()
        local peer <close> = connect { chunk = 4, chunk_delay = 0.001 }
        peer:send("hello\nyou\n"):shutdown()
        assert.same({ "hell", "o\n", "you\n" }, pieces(peer))
    end)

    it("can cut a character", function()
        local peer <close> = connect { chunk = 2, chunk_delay = 0.001 }
        peer:send("h\u{e9}\n"):shutdown()
        assert.same({ "h\xc3", "\xa9\n" }, pieces(peer))
    end)

    it("needs no pause, and a piece may be longer than the reply", function()
        assert.equal("hello\n", answer({ chunk = 1 }, "hello\n"))
        assert.equal("hello\n", answer({ chunk = 1000 }, "hello\n"))
    end)

    it("cuts each copy for itself", function()
        local peer <close> = connect { chunk = 3, chunk_delay = 0.001, repeat_reply = 2 }
        peer:send("four\n"):shutdown()
        assert.same({ "fou", "r\n", "fou", "r\n" }, pieces(peer))
    end)
end)

describe("pauses", function()
    it("chunk_delay alone keeps replies apart", function()
        local peer <close> = connect { chunk_delay = 0.001, repeat_reply = 2 }
        peer:send("a\nb\n"):shutdown()
        assert.same({ "a\n", "a\n", "b\n", "b\n" }, pieces(peer))
    end)

    it("delay comes before each reply", function()
        local before = echolot.now()
        assert.equal("a\nb\n", answer({ delay = 0.02 }, "a\nb\n"))
        assert.is_true(echolot.now() - before >= 0.04)
    end)

    it("delay of one client does not hold up another", function()
        local running = echolot.servers.echo({ delay = 0.05 }):start()
        local order = {}
        local function client(name, lines)
            local peer <close> = echolot.connect(running)
            peer:send((name .. "\n"):rep(lines)):shutdown()
            for line in peer:lines() do
                order[#order + 1] = line
            end
        end
        echolot.parallel(function() client("slow", 6) end, function() client("quick", 1) end)
        assert.equal("slow", order[#order])
        assert.contains("quick", order)
    end)
end)

describe("repeat_reply", function()
    it("sends each reply so many times", function()
        assert.equal("a\na\na\nb\nb\nb\n", answer({ repeat_reply = 3 }, "a\nb\n"))
    end)

    it("gives the previous line as often", function()
        assert.equal("\n\na\na\n", answer({ repeat_reply = 2, reply = "previous" }, "a\nb\n"))
    end)
end)

describe("greeting", function()
    it("is a line that comes first", function()
        local peer <close> = connect { greeting = "220 ready" }
        assert.equal("220 ready\n", peer:read "L")
        assert.equal("hello\n", peer:send("hello\n"):read "L")
    end)

    it("ends as replies do, or else with LF", function()
        assert.equal("hi\r\na\r\n", answer({ greeting = "hi", terminator = "crlf" }, "a\n"))
        assert.equal("hi\na", answer({ greeting = "hi", terminator = "none" }, "a\n"))
        assert.equal("hi\na", answer({ greeting = "hi", framing = "raw" }, "a"))
    end)

    it("may be empty, and is no reply", function()
        assert.equal("\na\n", answer({ greeting = "", close_after = 1 }, "a\nb\n"))
    end)
end)

describe("max_line", function()
    it("truncates, unless told otherwise", function()
        assert.equal("abc\nab\r\nabc\r\n\nabc", answer({ max_line = 3 }, "abcdef\nab\r\nabcd\r\n\nabcdefg"))
    end)

    it("does not count the line's end", function()
        for _, overflow in ipairs { "truncate", "split", "close" } do
            assert.equal("abc\nabc\r\nabc", answer({ max_line = 3, overflow = overflow }, "abc\nabc\r\nabc"))
        end
    end)

    it("counts a CR without an LF", function()
        assert.equal("abc\nd", answer({ max_line = 3, reply = "same" }, "abc\r\r\nd"):gsub("\r", ""))
        assert.equal("abc\n\r\r\r\n", answer({ max_line = 3, overflow = "split" }, "abc\r\r\r\n"))
        assert.equal("abc\n\r", answer({ max_line = 3, overflow = "split" }, "abc\r"))
    end)

    it("keeps the end of a line that is cut, though it come in two parts", function()
        local peer <close> = connect { max_line = 3 }
        peer:send "abcdef\r"
        assert.equal("timeout", assert.has_error(function()
            peer:timeout(0.02):recv()
        end).kind)
        assert.equal("abc\r\n", peer:timeout(5):send("\n"):recv())
    end)

    it("splits into lines that end with LF, the last one as it came", function()
        assert.equal("abc\ndef\ng\r\n", answer({ max_line = 3, overflow = "split" }, "abcdefg\r\n"))
        assert.equal("abc\ndef\r\n", answer({ max_line = 3, overflow = "split" }, "abcdef\r\n"))
        assert.equal("3\n1", answer({ max_line = 3, overflow = "split", reply = "count" }, "abcd"))
    end)

    it("splits without waiting for the line's end", function()
        local peer <close> = connect { max_line = 3, overflow = "split" }
        assert.equal("abc\n", peer:send("abcd"):recv())
        assert.equal("def\n", peer:send("efg"):recv())
        assert.equal("g\n", peer:send("\n"):recv())
    end)

    it("closes at the first byte that is too many, what came before being answered", function()
        local peer <close> = connect { max_line = 3, overflow = "close" }
        peer:send "ok\nabcd"
        assert.equal("ok\n", peer:read "a")
    end)

    it("cuts what one receive gave, or a block, where the framing is raw", function()
        local options = { framing = "raw", max_line = 3, overflow = "split", terminator = "lf" }
        local peer <close> = connect(options)
        assert.equal("abc\nde\n", peer:send("abcde"):read(7))
        options.batch = 5
        assert.equal("abc\nde\nfgh\n", answer(options, "abcdefgh"))
        options.overflow = "truncate"
        assert.equal("abc\nfgh\n", answer(options, "abcdefgh"))
        options.overflow = "close"
        assert.equal("", answer(options, "abcdefgh"))
    end)
end)

describe("close_after", function()
    it("closes after so many replies", function()
        local peer <close> = connect { close_after = 2 }
        peer:send "a\nb\nc\nd\n"
        assert.equal("a\nb\n", peer:read "a")
    end)

    it("counts a repeated reply once", function()
        assert.equal("a\na\n", answer({ close_after = 1, repeat_reply = 2 }, "a\nb\n"))
    end)

    it("loses no reply to what the client goes on sending", function()
        local peer <close> = connect { close_after = 1 }
        local writer = echolot.spawn(pcall, peer.send, peer, "a\n", ("x\n"):rep(1 << 20))
        assert.equal("a\n", peer:read "a")
        writer:join()
    end)
end)

describe("idle_timeout", function()
    it("closes when nothing comes", function()
        local peer <close> = connect { idle_timeout = 0.02 }
        assert.equal("", peer:recv())
    end)

    it("closes in the middle of a line", function()
        local peer <close> = connect { idle_timeout = 0.02 }
        peer:send "one\nhalf"
        assert.equal("one\n", peer:read "a")
    end)

    it("does not count the server's own pauses", function()
        local peer <close> = connect { idle_timeout = 0.02, delay = 0.1, close_after = 1 }
        assert.equal("a\n", peer:send("a\n"):read "a")
    end)

    it("counts from the last byte, not from the line's first", function()
        local peer <close> = connect { idle_timeout = 1 }
        for _ = 1, 25 do
            peer:send "x"
            echolot.sleep(0.05)
        end
        assert.equal(("x"):rep(25) .. "\n", peer:send("\n"):recv())
    end)
end)

describe("half_close", function()
    it("drain answers all that came before the FIN", function()
        assert.equal("a\nb\nc", answer({ delay = 0.01 }, "a\nb\nc"))
    end)

    it("close answers whole lines that could be, and drops the rest", function()
        assert.equal("a\nb\n", answer({ half_close = "close" }, "a\nb\nc"))
    end)

    it("close ends a pause before a reply", function()
        assert.equal("", answer({ half_close = "close", delay = FAR_S }, "a\nb\nc"))
    end)

    it("close ends a pause within a reply", function()
        local options = { half_close = "close", chunk = 2, chunk_delay = FAR_S }
        assert.equal("he", answer(options, "hello\nyou\n"))
    end)

    it("close drops a block that is not full", function()
        local options = { half_close = "close", framing = "raw", batch = 4 }
        assert.equal("abcd", answer(options, "abcdef"))
        options.framing = "line"
        assert.equal("a\nb\n", answer(options, "a\nb\nc\n"))
    end)

    it("close keeps what comes during a pause", function()
        local peer <close> = connect { half_close = "close", delay = 0.02 }
        peer:send("a\n"):send("b\nc"):send("\n")
        assert.equal("a", peer:read "l")
        assert.equal("b", peer:read "l")
        assert.equal("c", peer:read "l")
    end)

    it("close keeps the idle limit after a pause", function()
        local peer <close> = connect { half_close = "close", delay = 0.01, idle_timeout = 0.05 }
        assert.equal("a\n", peer:send("a\n"):read "a")
    end)
end)

describe("batch", function()
    it("answers raw blocks once they are full", function()
        local peer <close> = connect { framing = "raw", batch = 4, terminator = "lf" }
        peer:send "abc"
        assert.equal("timeout", assert.has_error(function()
            peer:timeout(0.02):recv()
        end).kind)
        assert.equal("abcd\nefgh\n", peer:timeout(5):send("defghi"):read(10))
        assert.equal("i\n", peer:shutdown():read "a")
    end)

    it("holds lines until so many bytes of them are in", function()
        local peer <close> = connect { batch = 8 }
        peer:send "one\ntwo"
        assert.equal("timeout", assert.has_error(function()
            peer:timeout(0.02):recv()
        end).kind)
        assert.equal("one\ntwo\n", peer:timeout(5):send("\nx\n"):read(8))
        assert.equal("x\n", peer:shutdown():read "a")
    end)
end)

-- All options together ------------------------------------------------------------------------

local ENDS = { lf = "\n", crlf = "\r\n", none = "" }

-- The frames of an input: {text, ending, cut}; then true where an overflow closes.
local function model_lines(input, limit, overflow)
    local frames = {}
    for line, lf in input:gmatch "([^\n]*)(\n?)" do
        if line == "" and lf == "" then
            break
        end
        local cr = lf ~= "" and line:match "\r$" or ""
        local text = line:sub(1, #line - #cr)
        if limit and #text > limit then
            if overflow == "close" then
                return frames, true
            elseif overflow == "truncate" then
                text = text:sub(1, limit)
            else
                while #text > limit do
                    frames[#frames + 1] = { text:sub(1, limit), "\n" }
                    text = text:sub(limit + 1)
                end
            end
        end
        frames[#frames + 1] = { text, cr .. lf, lf == "" }
    end
    return frames, false
end

local function model_blocks(input, size, limit, overflow)
    local frames = {}
    for at = 1, #input, size do
        local block = input:sub(at, at + size - 1)
        local cut = #block < size
        if limit and #block > limit then
            if overflow == "close" then
                return frames, true
            end
            for from = 1, overflow == "split" and #block or 1, limit do
                frames[#frames + 1] = { block:sub(from, from + limit - 1), "", cut }
            end
        else
            frames[#frames + 1] = { block, "", cut }
        end
    end
    return frames, false
end

-- Frames that `half_close = "close"` leaves unanswered fall away.
local function model_kept(frames, o)
    local kept, waiting, waiting_bytes = {}, {}, 0
    for _, frame in ipairs(frames) do
        if not (frame[3] and o.half_close == "close") then
            waiting[#waiting + 1] = frame
            waiting_bytes = waiting_bytes + #frame[1] + #frame[2]
            if o.framing == "raw" or waiting_bytes >= (o.batch or 0) then
                table.move(waiting, 1, #waiting, #kept + 1, kept)
                waiting, waiting_bytes = {}, 0
            end
        end
    end
    if o.half_close ~= "close" then
        table.move(waiting, 1, #waiting, #kept + 1, kept)
    end
    return kept
end

local MODEL_REPLIES = {
    same = function(text) return text end,
    upper = function(text) return text:upper() end,
    lower = function(text) return text:lower() end,
    reverse = function(text) return text:reverse() end,
    count = function(text) return tostring(#text) end,
    previous = function(_, before) return before end,
}

local function model(o, input)
    local frames
    if o.framing == "raw" then
        frames = model_blocks(input, o.batch, o.max_line, o.overflow)
    else
        frames = model_lines(input, o.max_line, o.overflow)
    end
    local out = { o.greeting and o.greeting .. (o.terminator == "crlf" and "\r\n" or "\n") or "" }
    local before = ""
    for i, frame in ipairs(model_kept(frames, o)) do
        if o.close_after and i > o.close_after then
            break
        end
        local reply = MODEL_REPLIES[o.reply](frame[1], before) .. (ENDS[o.terminator] or frame[2])
        out[#out + 1] = reply:rep(o.repeat_reply)
        before = frame[1]
    end
    return table.concat(out)
end

local CHOICES = {
    framing = { "line", "raw" },
    reply = { "same", "upper", "lower", "reverse", "previous", "count" },
    terminator = { "same", "lf", "crlf", "none" },
    chunk = { false, 1, 3 },
    repeat_reply = { 1, 2 },
    greeting = { false, "hello" },
    max_line = { false, 1, 3, 7 },
    overflow = { "truncate", "split", "close" },
    close_after = { false, false, 2 },
    half_close = { "drain", "close" },
    batch = { false, 1, 5 },
}

local NAMES = {}
for name in pairs(CHOICES) do
    NAMES[#NAMES + 1] = name
end
table.sort(NAMES) -- pairs has no order of its own, and a case shall be found again

-- A generator of its own, so that the same cases come in every run.
local function generator(seed)
    local state = seed
    return function(n)
        state = (state * 1103515245 + 12345) % 2147483648
        return state // 65536 % n + 1
    end
end

local function random_options(random)
    local o = {}
    for _, name in ipairs(NAMES) do
        local choices = CHOICES[name]
        o[name] = choices[random(#choices)] or nil
    end
    if o.framing == "raw" then
        o.batch = o.batch or 4 -- without blocks the network's cuts would show
    end
    return o
end

local INPUT_PARTS = { "a", "Bc", "\n", "\r\n", "\r", "longer text", "\n", "" }

local function random_input(random)
    local parts = {}
    for i = 1, random(12) do
        parts[i] = INPUT_PARTS[random(#INPUT_PARTS)]
    end
    return table.concat(parts)
end

local function in_words(o, input)
    local words = {}
    for _, name in ipairs(NAMES) do
        if o[name] then
            words[#words + 1] = ("%s=%s"):format(name, o[name])
        end
    end
    return ("%s of %q"):format(table.concat(words, " "), input)
end

describe("all options together", function()
    it("do what each of them says", function()
        local random = generator(20150211)
        for _ = 1, 600 do
            local o, input = random_options(random), random_input(random)
            local running <close> = echolot.servers.echo(o):start()
            local peer <close> = echolot.connect(running)
            local cut = random(#input + 1) - 1
            peer:send(input:sub(1, cut))
            if cut % 2 == 0 then
                echolot.spawn(function() end):join() -- the server may see the first part alone
            end
            -- A server that has closed already may refuse the rest; what it answered counts.
            pcall(function()
                peer:send(input:sub(cut + 1)):shutdown()
            end)
            assert.equal(model(o, input), peer:read "a", in_words(o, input))
        end
    end)
end)

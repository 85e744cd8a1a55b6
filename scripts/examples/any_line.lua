-- What holds for every line is tried with a hundred of them: empty, long, with spaces at the ends, with bytes
-- that are no text. One that fails is made as short and simple as it goes, and reported with its seed.
local echolot = require "echolot"
local gen = echolot.gen
local t = target(echolot.servers.echo())

property("a line comes back as it was", gen.line(), function(line)
    local peer = t:connect() -- a new one for each case
    assert.equal(line, peer:send(line, "\n"):read "l")
end)

-- However a stream is cut on its way there, the lines on the way back are the same.
local cuts = gen.list(gen.integer(1, 40), 0, 5)

property("the server does not care where sends end", gen.list(gen.line(0, 30), 1, 5), cuts, function(lines, sizes)
    local peer = t:connect()
    local rest = table.concat(lines, "\n") .. "\n"
    for _, size in ipairs(sizes) do
        peer:send(rest:sub(1, size))
        rest = rest:sub(size + 1)
    end
    peer:send(rest)
    for _, line in ipairs(lines) do
        assert.equal(line, peer:read "l")
    end
end)

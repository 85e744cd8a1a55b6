-- Makes the C source that holds the embedded Lua: lua embed.lua OUTPUT FILE...
-- Each FILE becomes a module: .../lua/echolot/report/pretty.lua is "echolot.report.pretty",
-- .../lua/echolot/init.lua is "echolot".
local output = arg[1]
local out = assert(io.open(output, "w"))

out:write('#include <stddef.h>\n\n#include "bind/loader.h"\n\n')
local modules = {}
for i = 2, #arg do
    local path = arg[i]
    local relative = assert(path:match("lua/(echolot/.*)$"), path .. " is not below lua/echolot")
    local module = relative:gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
    local file = assert(io.open(path, "rb"))
    local text = file:read("a")
    file:close()
    modules[#modules + 1] = { module = module, chunk = "=" .. relative, len = #text }
    out:write(("static const unsigned char text_%d[] = {"):format(#modules))
    for at = 1, #text do
        out:write(at % 24 == 1 and "\n" or "", text:byte(at), ",")
    end
    out:write("0};\n\n") -- never empty
end

out:write("const struct el_embedded el_embedded_modules[] = {\n")
for i, m in ipairs(modules) do
    out:write(("    {%q, %q, text_%d, %d},\n"):format(m.module, m.chunk, i, m.len))
end
out:write("    {NULL, NULL, NULL, 0},\n};\n")
assert(out:close())

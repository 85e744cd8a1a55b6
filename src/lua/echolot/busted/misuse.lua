--- The script's own mistakes with spies, stubs and their like: errors of kind `usage`, with the script's place.
local M = {}

local error = error

-- Makes the error object; echolot.assert, which knows how, puts it here.
M.make = nil ---@type fun(op: string, text: string): any

---@param op string
---@param text string
function M.raise(op, text)
    error(M.make(op, text), 0)
end

return M

--- The words between `assert` and a call, such as those of `assert.is_not.called_at_least`: which of them name
--- something, which modify, which only make a sentence.
---
--- A name may have several words, and words that mean something by themselves may be parts of it, so of the ways to
--- read them the one with the longest names is taken, from the end.
local M = {}

local concat, insert, move = table.concat, table.insert, table.move
local find, gmatch, lower, sub = string.find, string.gmatch, string.lower, string.sub
local type = type

--- The names of one kind of thing. What each stands for is the business of whoever asks.
---@class echolot.vocabulary
---@field names table<string, string>
---@field prefixes table<string, integer> how many names begin with these words
---@field most_words integer
---@field readings table<string, echolot.vocabulary.reading> of words that were read before

local all = {}

---@return echolot.vocabulary
function M.new()
    local vocabulary = { names = {}, prefixes = {}, most_words = 1, readings = {} }
    all[#all + 1] = vocabulary
    return vocabulary
end

-- A name may be part of what any words say, of modifiers in every vocabulary.
local function forget_readings()
    for index = 1, #all do
        all[index].readings = {}
    end
end

---@param vocabulary echolot.vocabulary
---@param name string
---@param step integer 1 when the name comes, -1 when it goes
local function count_prefixes(vocabulary, name, step)
    local words, at = 1, find(name, "_", 2, true)
    while at do
        local prefix = sub(name, 1, at - 1)
        vocabulary.prefixes[prefix] = (vocabulary.prefixes[prefix] or 0) + step
        words, at = words + 1, find(name, "_", at + 1, true)
    end
    if words > vocabulary.most_words then
        vocabulary.most_words = words
    end
end

--- Adds a name, or gives it another meaning.
---@param vocabulary echolot.vocabulary
---@param name string words in lower case, joined by underscores
---@param meaning string
function M.add(vocabulary, name, meaning)
    if vocabulary.names[name] == nil then
        count_prefixes(vocabulary, name, 1)
    end
    vocabulary.names[name] = meaning
    forget_readings()
end

---@param vocabulary echolot.vocabulary
---@param name string
function M.remove(vocabulary, name)
    if vocabulary.names[name] ~= nil then
        count_prefixes(vocabulary, name, -1)
        vocabulary.names[name] = nil
        forget_readings()
    end
end

--- What all vocabularies have in common: words without a meaning, negations, modifiers that a script registers.
M.modifiers = M.new()

local FILLER, NEGATION = "filler", "negation"
for word in gmatch("is are was were be been being has have had does do did a an the to of it", "%a+") do
    M.add(M.modifiers, word, FILLER)
end
M.add(M.modifiers, "not", NEGATION)
M.add(M.modifiers, "no", NEGATION)

--- The words of a key such as "is_not_nil", after those that were read before.
---@param words string[]
---@param key any
---@return string[]? words nil if the key is none
function M.follow(words, key)
    if type(key) ~= "string" then
        return nil
    end
    local longer = move(words, 1, #words, 1, {})
    for word in gmatch(lower(key), "[^_]+") do
        longer[#longer + 1] = word
    end
    return #longer > #words and longer or nil
end

--- The longest known name that ends with a word.
---@param vocabulary echolot.vocabulary
---@param words string[]
---@param last integer
---@return integer? first its first word
---@return string? meaning
---@return boolean? is_name false for what all vocabularies have
local function find_name(vocabulary, words, last)
    local modifiers = M.modifiers
    local most = vocabulary.most_words > modifiers.most_words and vocabulary.most_words or modifiers.most_words
    for first = last - most + 1 > 1 and last - most + 1 or 1, last do
        local key = concat(words, "_", first, last)
        local meaning = vocabulary.names[key]
        if meaning then
            return first, meaning, true
        elseif modifiers.names[key] then
            return first, modifiers.names[key], false
        end
    end
end

--- The first of the last words which more words may make a name of.
---@param vocabulary echolot.vocabulary
---@param words string[]
---@return integer? first
local function find_open(vocabulary, words)
    for first = 1, #words do
        local key = concat(words, "_", first)
        if (vocabulary.prefixes[key] or 0) > 0 or (M.modifiers.prefixes[key] or 0) > 0 then
            return first
        end
    end
end

--- What words say together.
---@class echolot.vocabulary.reading
---@field name? string the meaning of the name among them
---@field negated boolean
---@field modifiers string[] registered ones, in order
---@field id string the same for words that say the same and can be continued alike

---@param vocabulary echolot.vocabulary
---@param words string[]
---@return echolot.vocabulary.reading?
local function read(vocabulary, words)
    local reading = { negated = false, modifiers = {} }
    local open = find_open(vocabulary, words)
    local last, negated_behind = #words, false
    while last > 0 do
        local first, meaning, is_name = find_name(vocabulary, words, last)
        if not first then
            if last < #words or not open then
                return nil
            end
            first = open
        elseif is_name then
            if reading.name or negated_behind then
                return nil
            end
            reading.name = meaning
        elseif meaning == NEGATION then
            reading.negated = not reading.negated
            negated_behind = not reading.name
        elseif meaning ~= FILLER then
            insert(reading.modifiers, 1, meaning)
        end
        last = first - 1
    end
    reading.id = (reading.negated and "not " or "") .. concat(reading.modifiers, " ") .. "|" .. (reading.name or "")
        .. "|" .. (open and concat(words, "_", open) or "")
    return reading
end

--- Reads words. nil if one of them has no meaning there.
---@param vocabulary echolot.vocabulary
---@param words string[]
---@return echolot.vocabulary.reading?
function M.read(vocabulary, words)
    local key = concat(words, "_")
    local reading = vocabulary.readings[key]
    if not reading then
        reading = read(vocabulary, words)
        vocabulary.readings[key] = reading
    end
    return reading
end

return M

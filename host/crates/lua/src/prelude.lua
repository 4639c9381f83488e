-- Builds what scripts see out of what Lua offers. What a script sees is made anew for each run, and reads
-- through to what it cannot reach, so that nothing it does is seen by the next.
local native, explain, describe = ...
local error, select, setfenv, setmetatable, tostring = error, select, setfenv, setmetatable, tostring
local pcall, xpcall, sort, count, rawset = pcall, xpcall, table.sort, collectgarbage, rawset

local function readonly()
  error("Attempt to modify a readonly table", 2)
end

local function absent(_, name)
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end

local base = setmetatable({ _VERSION = _VERSION }, { __index = absent })
for _, name in ipairs({
  "assert", "error", "gcinfo", "getmetatable", "ipairs", "next", "pairs", "rawequal", "rawget", "select",
  "setmetatable", "tonumber", "tostring", "type", "unpack",
}) do
  base[name] = _G[name]
end

-- What ends a script is raised again by `explain`; what was raised becomes what scripts expect.
local function caught(ok, ...)
  if ok then
    return ok, ...
  end
  return false, explain((...), true)
end

function base.pcall(...)
  return caught(pcall(...))
end

function base.xpcall(call, handler)
  local ok, raised = caught(xpcall(call, function(raised)
    return handler(explain(raised, false))
  end))
  return ok, raised
end

-- What this run sees of the libraries.
local seen

function base.rawset(list, key, value)
  if seen[list] then
    error("Attempt to modify a readonly table", 0)
  end
  return rawset(list, key, value)
end

-- The collector is not a script's to stop.
function base.collectgarbage(option)
  return option == "count" and count("count") or 0
end

-- Comparisons made by C are not counted as work, and some orders take for ever.
function native.table.sort(list, less)
  return sort(list, less or function(a, b) return a < b end)
end

native.string.dump = nil
getmetatable("").__metatable = false

local guards = {}
for name, library in pairs(native) do
  guards[name] = { __index = library, __newindex = readonly, __metatable = false }
end
local environment = { __index = base, __newindex = readonly, __metatable = false }

return function(chunk, keys, arguments)
  base.KEYS, base.ARGV = keys, arguments
  base._G = setmetatable({}, environment)
  seen = { [base._G] = true }
  for name, guard in next, guards do
    base[name] = setmetatable({}, guard)
    seen[base[name]] = true
  end
  setfenv(chunk, base._G)
  return xpcall(chunk, describe)
end

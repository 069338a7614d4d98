-- As `script.js`.
local FIELDS = {@FIELDS@}
local STATE_FIELDS = {@STATE_FIELDS@}
local messages = 0

local function argument(n)
    local text = KSR.pv.gete("$hdr(X-" .. n .. ")")
    local kind = KSR.pv.gete("$hdr(X-Kind-" .. n .. ")")
    if kind == "number" then return tonumber(text) end
    if kind == "boolean" then return true end
    if kind == "nothing" or kind == "undefined" then return nil end
    if kind == "table" then return {} end
    return text
end

local function show(variable)
    local value = KSR.pv.get(variable)
    if value == nil then return "null" end
    return (type(value) == "number" and "number " or "text ") .. value
end

local function show_all(names, first, last)
    local all = ""
    for _, name in ipairs(names) do all = all .. name .. "=" .. show(first .. name .. last) .. "|" end
    return all
end

local function call(name, count)
    local given = {}
    for n = 1, count do given[n] = argument(n) end
    if name == "exists" then return type(KSR.presence_b2b[given[1]]) end
    if name == "show" then
        KSR.presence_b2b.b2b_state(given[1], "", given[2])
        return show_all(STATE_FIELDS, "$b2b(", ")") .. show_all(STATE_FIELDS, "$b2b(" .. given[1] .. "=>", ")")
    end
    if name == "hexadecimal" then
        KSR.presence_b2b.b2b_state(given[1], "", "message-summary")
        return show("$(b2b(body){s.encode.hexa})")
    end
    if name == "unknown" then return show("$qsa(recrod)") .. " " .. show("$b2b(baisc)") end
    return KSR.presence_b2b[name]((table.unpack or unpack)(given, 1, count))
end

function ksr_request_route()
    if KSR.is_method("NOTIFY") then
        local handled = KSR.presence_b2b.handle_notify()
        KSR.notice("HANDLED " .. handled .. ".END\n")
        if handled < 0 then KSR.sl.sl_send_reply(481, "Subscription does not exist") end
        return
    end
    local name = KSR.pv.gete("$hdr(X-Call)")
    if name == "raise" then error("boom in the route") end
    if name == "answered" then
        KSR.sl.sl_send_reply(200, "OK")
        KSR.notice("RETURNED " .. KSR.presence_b2b.handle_notify() .. ".END\n")
        return
    end
    local fine, result = pcall(call, name, tonumber(KSR.pv.gete("$hdr(X-Count)")))
    KSR.notice("RETURNED " .. (fine and "" or "raised ") .. tostring(result) .. ".END\n")
    KSR.sl.sl_send_reply(200, "OK")
end

function ksr_local_request(event)
    KSR.hdr.append("X-Local: " .. event .. " " .. show("$qsa(record)") .. "\r\n")
end

function on_qsa(event)
    messages = messages + 1
    if messages == @EARLY@ then error("boom before") end
    KSR.notice("SHOWN " .. event .. "|" .. show_all(FIELDS, "$qsa(", ")") .. ".END\n")
    if messages == @LATE@ then error("boom after") end
end

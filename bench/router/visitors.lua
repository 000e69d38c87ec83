-- Returning visitors: a thousand valid ids in turn. Prints one line for the runner at the end.
local requests, at = {}, 0

function init()
    math.randomseed(1)
    for i = 1, 1000 do
        local digits = {}
        for d = 1, 16 do digits[d] = string.format("%x", math.random(0, 15)) end
        requests[i] = wrk.format("GET", "/", { Host = "shop.example", Cookie = "pourover_id=" .. table.concat(digits) })
    end
end

function request()
    at = at % #requests + 1
    return requests[at]
end

function done(summary)
    local e = summary.errors
    io.write(string.format("requests %d failed %d\n", summary.requests,
        e.connect + e.read + e.write + e.status + e.timeout))
end

-- A third of the visitors is new, a tenth of the requests fails at the service; tells how many had another status.
local count = 0

function request()
    count = count + 1
    local path = count % 10 == 0 and "/fail" or "/"
    if count % 3 == 0 then
        return wrk.format("GET", path)
    end
    local id = string.format("%08x%08x", (count * 2654435761) % 4294967296, (count * 40503) % 65536)
    return wrk.format("GET", path, { Cookie = "pourover_id=" .. id })
end

local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init()
    wrong = 0
end

function response(status)
    if status ~= 200 and status ~= 500 then
        wrong = wrong + 1
    end
end

function done(summary)
    local sum = 0
    for _, thread in ipairs(threads) do
        sum = sum + thread:get("wrong")
    end
    local errors = summary.errors
    sum = sum + errors.connect + errors.read + errors.write + errors.timeout
    print(string.format("requests %d wrong %d", summary.requests, sum))
end

-- For wrk: sends the requests of a file in turn, each thread its own share of the lines, and prints what came of it as
-- one line of JSON.
--   wrk -s requests.lua URL -- searches FILE         a line is a path
--   wrk -s requests.lua URL -- bookings FILE TOKEN   a line is the body of a booking
local threads = 0

function setup(thread)
  thread:set("share", threads)
  threads = threads + 1
  thread:set("shares", 2)
end

function init(arguments)
  local kind, file, token = arguments[1], arguments[2], arguments[3]
  local headers = {}
  if kind == "bookings" then
    headers["Content-Type"] = "application/json"
    headers["Authorization"] = "Bearer " .. token
  end
  lines, number = {}, 0
  for line in io.lines(file) do
    number = number + 1
    if number % shares == share then
      if kind == "bookings" then
        lines[#lines + 1] = wrk.format("POST", "/api/bookings", headers, line)
      else
        lines[#lines + 1] = wrk.format("GET", line, headers)
      end
    end
  end
  next_line = 0
end

function request()
  next_line = next_line % #lines + 1
  return lines[next_line]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%.6f,"refused":%d,"broken":%d,"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end

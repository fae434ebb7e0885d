-- Asks Postern over HTTP whether a request may pass, as `http-request lua.postern URL` in haproxy.cfg.
-- An allow sets the headers that Postern answers for the upstream; whatever else comes is the answer to the client.
-- No answer is a 503: never an allow.

-- Of the connection, and of what is not sent along.
local not_sent = {
  ["host"] = true, ["connection"] = true, ["content-length"] = true, ["transfer-encoding"] = true,
  ["upgrade"] = true, ["te"] = true, ["expect"] = true, ["keep-alive"] = true, ["proxy-connection"] = true,
}
-- Of an answer, what is HAProxy's own to say.
local not_answered = { ["connection"] = true, ["content-length"] = true, ["transfer-encoding"] = true, ["keep-alive"] = true, ["date"] = true }
-- Of an allow, what is not for the upstream.
local not_told = { ["cache-control"] = true, ["content-type"] = true, ["x-envoy-auth-headers-to-remove"] = true }

local function values_of(values)
  local list = {}
  for at = 0, #values do
    if values[at] ~= nil then list[#list + 1] = values[at] end
  end
  return list
end

local function deny(txn, status, headers, body)
  local reply = txn:reply()
  reply:set_status(status)
  for name, values in pairs(headers) do
    if not not_answered[name] then
      for _, value in ipairs(values_of(values)) do reply:add_header(name, value) end
    end
  end
  reply:set_body(body)
  txn:done(reply)
end

core.register_action("postern", { "http-req" }, function(txn, url)
  local headers = {}
  for name, values in pairs(txn.http:req_get_headers()) do
    if not not_sent[name] then headers[name] = values_of(values) end
  end
  headers["x-forwarded-method"] = { txn.sf:method() }
  headers["x-forwarded-host"] = { txn.sf:req_hdr("host") or "" }
  headers["x-forwarded-uri"] = { txn.sf:pathq() }
  headers["x-forwarded-proto"] = { txn.sf:ssl_fc() == 1 and "https" or "http" }
  headers["x-real-ip"] = { txn.sf:src() }

  local asked, response = pcall(function()
    return core.httpclient():get({ url = url, headers = headers, timeout = 500 })
  end)
  if not asked or response == nil or (response.status or 0) < 200 then
    deny(txn, 503, { ["content-type"] = { "application/json" }, ["retry-after"] = { "1" } },
      '{"error":{"code":"unavailable","message":"API keys cannot be checked right now. Try again."}}')
    return
  end
  if response.status ~= 200 then
    deny(txn, response.status, response.headers or {}, response.body or "")
    return
  end
  for name, values in pairs(response.headers or {}) do
    if not not_answered[name] and not not_told[name] then
      txn.http:req_del_header(name)
      for _, value in ipairs(values_of(values)) do txn.http:req_add_header(name, value) end
    end
  end
end, 1)

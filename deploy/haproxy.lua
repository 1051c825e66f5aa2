-- Asks Portico whether a request may pass: for deploy/haproxy.cfg, with HAProxy 2.6 or newer.
--
-- http-request lua.portico QUERY sets, from the answer of /auth/forward?QUERY:
--   txn.portico_status       200: the request may pass; 302, 401, 403: it may not; 503: Portico is unavailable
--   txn.portico_user … _session   values of headers for the app; not set if Portico's answer has no such header
--   txn.portico_error, txn.portico_location, txn.portico_challenge   the reason of a refusal, and where to sign in

local SOCKET = "/run/portico.sock"
local TIMEOUT = 5000 -- milliseconds

-- Headers that Portico does not get: those about one connection, and those about the body, which is not sent.
local OF_CONNECTION = {
  ["connection"] = true, ["content-length"] = true, ["expect"] = true, ["keep-alive"] = true, ["te"] = true,
  ["trailer"] = true, ["transfer-encoding"] = true, ["upgrade"] = true,
  -- HAProxy sets these itself.
  ["x-forwarded-method"] = true, ["x-forwarded-uri"] = true, ["x-original-method"] = true, ["x-original-uri"] = true,
}

local TOLD = {
  portico_user = "x-auth-user", portico_wallet = "x-auth-wallet", portico_provider = "x-auth-provider",
  portico_roles = "x-auth-roles", portico_permissions = "x-auth-permissions", portico_session = "x-auth-session",
  portico_error = "x-auth-error", portico_location = "location", portico_challenge = "www-authenticate",
}

local function ask(txn, query)
  local headers = { ["x-forwarded-method"] = { txn.f:method() }, ["x-forwarded-uri"] = { txn.f:pathq() } }
  for name, values in pairs(txn.http:req_get_headers()) do
    if not OF_CONNECTION[name] then
      headers[name] = {}
      -- The first value has the index 0.
      for _, value in pairs(values) do table.insert(headers[name], value) end
    end
  end
  return core.httpclient():get({
    url = "http://portico/auth/forward?" .. query, headers = headers, dst = "unix@" .. SOCKET, timeout = TIMEOUT,
  })
end

core.register_action("portico", { "http-req" }, function(txn, query)
  local asked, answer = pcall(ask, txn, query)
  if not asked or not answer or answer.status == 0 then
    txn:set_var("txn.portico_status", 503)
    return
  end
  for variable, name in pairs(TOLD) do
    local values = answer.headers and answer.headers[name]
    -- Use a header only if the answer has it exactly once.
    if values and values[0] and not values[1] then txn:set_var("txn." .. variable, values[0]) end
  end
  txn:set_var("txn.portico_status", answer.status)
end, 1)

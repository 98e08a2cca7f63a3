#include "proxy/request/gate.h"

#include <sodium.h>

#include <string>

#include "broker/base/secret.h"
#include "proxy/core/auth.h"

namespace ccr::proxy {
namespace {

bool IsToken(std::string_view candidate, const std::string& sha256) {
  if (candidate.empty()) return false;
  const std::string hash = Sha256(candidate);
  return hash.size() == sha256.size() && sodium_memcmp(hash.data(), sha256.data(), hash.size()) == 0;
}

bool HasToken(const Request& request, const std::string& sha256) {
  bool found = false;
  for (std::string_view candidate :
       ClientTokens(request.Find("authorization"), request.Find("x-api-key"), request.Find("x-goog-api-key")))
    found |= IsToken(candidate, sha256);
  return found;
}

}  // namespace

std::optional<OwnAnswer> RefuseEntry(const Request& request, const Target& target, const RoutingTable& table,
                                     const Caller& caller) {
  const bool has_token = !table.client_token_sha256.empty();
  if (!has_token && !caller.loopback)
    return OwnAnswer{403, "only clients on this machine are served while no APIKEY is configured", std::nullopt};

  const AccessPolicy policy{std::string(caller.listen_host), has_token, table.allowed_hosts};
  if (!HostAllowed(target.authority.empty() ? request.Find("host") : target.authority, policy))
    return OwnAnswer{403, "this Host is not served; name it in Proxy.allowed_hosts to allow it", std::nullopt};
  if (!OriginAllowed(request.Find("origin"), policy))
    return OwnAnswer{403, "requests from this Origin are not served; name its host in Proxy.allowed_hosts to allow it",
                     std::nullopt};

  if (!FetchSiteAllowed(request.Find("sec-fetch-site"), request.Find("origin"), policy))
    return OwnAnswer{403, "pages of other sites are not served; name theirs in Proxy.allowed_hosts to allow it",
                     std::nullopt};

  const bool open = target.endpoint == Endpoint::kRoot || target.endpoint == Endpoint::kHealth;
  if (open || !has_token || HasToken(request, table.client_token_sha256)) return std::nullopt;
  return OwnAnswer{401, "the client token (APIKEY) is missing or wrong; send it as Authorization: Bearer or x-api-key",
                   std::nullopt};
}

}  // namespace ccr::proxy

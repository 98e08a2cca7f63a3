#include "broker/core/types.h"

namespace ccr::core {

std::string_view ToString(KeyState state) {
  switch (state) {
    case KeyState::kActive:
      return "active";
    case KeyState::kCooling:
      return "cooling";
    case KeyState::kDisabled:
      return "disabled";
  }
  return "unknown";
}

std::string_view ToString(Outcome outcome) {
  switch (outcome) {
    case Outcome::kSuccess:
      return "success";
    case Outcome::kCallerFault:
      return "caller_fault";
    case Outcome::kAuth:
      return "auth";
    case Outcome::kPermission:
      return "permission";
    case Outcome::kQuota:
      return "quota";
    case Outcome::kRateLimited:
      return "rate_limited";
    case Outcome::kOverloaded:
      return "overloaded";
    case Outcome::kUpstreamFailure:
      return "upstream_failure";
    case Outcome::kNeutral:
      return "neutral";
  }
  return "unknown";
}

std::string_view ToString(TransportError error) {
  switch (error) {
    case TransportError::kNone:
      return "none";
    case TransportError::kConnect:
      return "connect_error";
    case TransportError::kConnectTimeout:
      return "connect_timeout";
    case TransportError::kSend:
      return "send_error";
    case TransportError::kFirstByteTimeout:
      return "first_byte_timeout";
    case TransportError::kIdleTimeout:
      return "idle_timeout";
    case TransportError::kRead:
      return "read_error";
    case TransportError::kName:
      return "name_not_resolved";
    case TransportError::kRefused:
      return "connection_refused";
    case TransportError::kTls:
      return "tls_error";
    case TransportError::kProxy:
      return "proxy_refused";
  }
  return "unknown";
}

std::string_view ToString(TriedBy by) {
  switch (by) {
    case TriedBy::kNobody:
      return "nobody";
    case TriedBy::kProbe:
      return "probe";
    case TriedBy::kRequest:
      return "request";
  }
  return "unknown";
}

std::string_view ToString(Affinity affinity) {
  switch (affinity) {
    case Affinity::kNotAsked:
      return "not_asked";
    case Affinity::kHit:
      return "hit";
    case Affinity::kMoved:
      return "moved";
    case Affinity::kNone:
      return "none";
    case Affinity::kOverShare:
      return "over_share";
  }
  return "unknown";
}

}  // namespace ccr::core

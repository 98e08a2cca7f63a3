#include "proxy/core/evidence/evidence.h"

namespace ccr::proxy {

std::string_view ToString(TransportError error) {
  switch (error) {
    case TransportError::kNone:
      return "none";
    case TransportError::kLocal:
      return "local_shortage";
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

}  // namespace ccr::proxy

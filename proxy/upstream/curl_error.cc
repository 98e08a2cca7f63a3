#include "proxy/upstream/curl_error.h"

#include <algorithm>

namespace ccr::proxy {

TransportError ClassifyCurlError(CURLcode code, bool sent) {
  switch (code) {
    case CURLE_OK:
      return TransportError::kNone;
    case CURLE_OPERATION_TIMEDOUT:  // the one time-out given to curl is that of connecting
      return TransportError::kConnectTimeout;
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_READ_ERROR:
    case CURLE_ABORTED_BY_CALLBACK:
      return sent ? TransportError::kSend : TransportError::kConnect;
    default:
      return sent ? TransportError::kRead : TransportError::kConnect;
  }
}

std::string_view HostOf(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  const size_t user = url.rfind('@');
  return user == std::string_view::npos ? url : url.substr(user + 1);
}

}  // namespace ccr::proxy

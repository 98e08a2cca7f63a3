#include "proxy/upstream/curl_error.h"

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

}  // namespace ccr::proxy

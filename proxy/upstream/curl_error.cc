#include "proxy/upstream/curl_error.h"

#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "proxy/upstream/local_shortage.h"

namespace ccr::proxy {
namespace {

constexpr long kFirstRefusal = 300;

bool IsTls(CURLcode code) {
  switch (code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
      return true;
    default:
      return false;
  }
}

TransportError ErrorOf(const CurlEnd& end) {
  switch (end.code) {
    case CURLE_OK:
      return TransportError::kNone;
    case CURLE_OPERATION_TIMEDOUT:  // the one time-out given to curl is that of connecting
      return TransportError::kConnectTimeout;
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_READ_ERROR:
    case CURLE_ABORTED_BY_CALLBACK:
      if (end.sent) return TransportError::kSend;
      break;
    default:
      if (end.sent) return TransportError::kRead;
  }
  if (end.code == CURLE_COULDNT_CONNECT && IsLocalShortage(end.open_error)) return TransportError::kLocal;
  if (end.code == CURLE_COULDNT_RESOLVE_PROXY || end.code == CURLE_PROXY || end.tunnel >= kFirstRefusal)
    return TransportError::kProxy;
  if (end.code == CURLE_COULDNT_CONNECT && end.proxied) return TransportError::kProxy;
  if (end.code == CURLE_COULDNT_RESOLVE_HOST) return TransportError::kName;
  if (end.code == CURLE_COULDNT_CONNECT && end.os_error == ECONNREFUSED) return TransportError::kRefused;
  return IsTls(end.code) ? TransportError::kTls : TransportError::kConnect;
}

}  // namespace

CurlError Explain(const CurlEnd& end) {
  CurlError error{ErrorOf(end), {}};
  if (error.error == TransportError::kProxy && end.tunnel >= kFirstRefusal) {
    error.words = absl::StrCat("it answers CONNECT with ", end.tunnel);
  } else if (error.error == TransportError::kTls && end.words[0] != '\0') {
    error.words = end.words;
  } else if (end.code == CURLE_COULDNT_CONNECT && end.os_error != 0) {
    error.words = std::system_category().message(static_cast<int>(end.os_error));
  } else if (end.code != CURLE_OK) {
    error.words = curl_easy_strerror(end.code);
  }
  return error;
}

}  // namespace ccr::proxy

// What curl's errors mean to the broker and to people.
#pragma once

#include <curl/curl.h>

#include <string>

#include "proxy/core/evidence/evidence.h"

namespace ccr::proxy {

// How a transfer has ended, as curl tells it.
struct CurlEnd {
  CURLcode code = CURLE_OK;
  bool sent = false;       // any byte of the request has left
  bool proxied = false;    // through a forward proxy
  int open_error = 0;      // errno of the last socket that could not be opened
  long os_error = 0;       // CURLINFO_OS_ERRNO
  long tunnel = 0;         // CURLINFO_HTTP_CONNECTCODE: what the proxy says to CONNECT
  const char* words = "";  // CURLOPT_ERRORBUFFER
};

struct CurlError {
  TransportError error = TransportError::kNone;
  std::string words;  // without addresses, but for what TLS says
};

CurlError Explain(const CurlEnd& end);

}  // namespace ccr::proxy

// One HTTP request to a server of secrets.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/base/secret.h"
#include "broker/base/stop_event.h"

namespace ccr {

struct HttpRequest {
  std::string url;              // http or https
  std::vector<Secret> headers;  // "name: value"
  Secret body;                  // JSON; empty: it is a GET, else a POST
  std::string ca_file;          // empty = the system's authorities
  absl::Duration connect_timeout = absl::Seconds(5);
  absl::Duration total_timeout = absl::Seconds(10);
};

struct HttpAnswer {
  int status = 0;
  Secret body;  // at most 1 MiB
};

// Waits for the answer, whatever its status. TLS is verified, no redirect followed, no proxy used, no connection kept.
// Unavailable: there is no answer; Cancelled: `stop`. Messages continue the server's name.
absl::StatusOr<HttpAnswer> CallHttp(const HttpRequest& request, const StopEvent& stop);

// The path with what a URL cannot hold escaped, its slashes kept.
std::string EscapePath(const std::string& path);

}  // namespace ccr

// One line of log for each request.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/time/time.h"
#include "proxy/core/target.h"
#include "proxy/request/request.h"

namespace ccr::proxy {

// What stays empty or unset is left out of the line. No contents, headers, paths or keys: names and figures only.
struct AccessEntry {
  Endpoint endpoint = Endpoint::kNotFound;
  int status = 0;             // sent to the client; 0 = none
  std::string_view end;       // "complete", "refused", "cut", "time_limit", "client_gone"
  std::string_view outcome;   // of the last attempt, the broker's name for it
  std::string_view model;     // that the client asked for
  std::string_view route;     // RuleName
  bool fallback = false;      // the route failed, and this is one of its fallbacks
  std::string_view provider;  // of the last attempt, as the next ones
  std::string_view model_sent;
  std::string_view key;          // its name
  std::string_view provider_id;  // what the provider calls the request
  uint32_t attempts = 0;
  std::string_view session;  // logged as 12 digits of its SHA-256
  std::optional<absl::Duration> lease_wait, first_byte;
  absl::Duration total;
  uint64_t input_tokens = 0, cached_tokens = 0, output_tokens = 0;
};

// Costs nothing but a look at the level where the line is not logged: at info, of the pages that monitoring asks for
// (`/` and `/health`) at debug while all is well.
void LogAccess(const Request& request, const AccessEntry& entry);

}  // namespace ccr::proxy

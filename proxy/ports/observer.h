// What the HTTP side tells whoever keeps the metrics.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/time/time.h"
#include "proxy/core/target.h"

namespace ccr::proxy {

struct RequestSummary {
  Endpoint endpoint = Endpoint::kNotFound;
  int status = 0;             // sent to the client; 0 = none, it went away before
  std::string_view provider;  // of the routing table; empty = none was chosen
  absl::Duration total;
  std::optional<absl::Duration> first_byte;  // request read -> first byte of the answer; only of answers of a provider
  std::optional<absl::Duration> lease_wait;  // for leases, granted or refused, all together; without those of reports
};

struct AttemptSummary {
  enum class Kind { kFirst, kRotate, kRetry };
  Kind kind = Kind::kFirst;   // what it followed
  std::string_view provider;  // of the routing table
  std::string_view outcome;   // the broker's name for it, or "unknown"
  uint64_t input_tokens = 0;
  uint64_t output_tokens = 0;
};

enum class ConnectionEvent { kOpened, kClosed, kRejected };

// One per worker, called on its loop; must not block.
class RequestObserver {
 public:
  virtual ~RequestObserver() = default;
  virtual void OnConnection(ConnectionEvent event) = 0;
  virtual void OnRequestStarted() = 0;
  virtual void OnRequestEnded(const RequestSummary& summary) = 0;  // once for each started
  // A request goes on with the next model of a fallback list; `route` (RuleName) is what decided its first one.
  virtual void OnFallback(std::string_view route) = 0;
  virtual void OnAttemptEnded(const AttemptSummary& summary) = 0;
};

}  // namespace ccr::proxy

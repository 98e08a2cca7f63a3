// What one attempt showed, for the broker to judge.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace ccr::proxy {

// kLocal: this process has no descriptor or memory left for a connection, which is nobody else's failure.
enum class TransportError { kNone, kLocal, kConnect, kConnectTimeout, kSend, kFirstByteTimeout, kIdleTimeout, kRead };

// No wait that a provider asks for is taken for longer: client and broker are told the same.
inline constexpr absl::Duration kMaxRetryAfter = absl::Hours(24);

struct Evidence {
  int http_status = 0;  // 0 = no response head
  std::string error_type;
  std::string error_code;
  std::optional<absl::Duration> retry_after;
  TransportError transport_error = TransportError::kNone;
  bool client_cancelled = false;
  bool caller_fault = false;  // a fault of the proxy itself
  bool incomplete = false;    // a 2xx that was cut, or carried an error event
  uint64_t input_tokens = 0;
  uint64_t output_tokens = 0;
  absl::Duration first_byte;
  absl::Duration total;
  std::optional<uint64_t> remaining_requests;
  std::optional<uint64_t> remaining_tokens;
};

}  // namespace ccr::proxy

// What one attempt showed, for the broker to judge.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace ccr::proxy {

enum class TransportError {
  kNone,
  kLocal,    // this process has no descriptor or memory left for a connection, which is nobody else's failure
  kConnect,  // none of the more precise ones below
  kConnectTimeout,
  kSend,
  kFirstByteTimeout,
  kIdleTimeout,
  kRead,
  kName,     // the provider's name is not resolved
  kRefused,  // nobody listens there
  kTls,      // no handshake, or the certificate is not trusted
  kProxy,    // the forward proxy refuses, wants credentials, or is away
};

std::string_view ToString(TransportError error);  // "none", "connect_error", ..., as the broker calls it

// No wait that a provider asks for is passed on to a client for longer.
inline constexpr absl::Duration kMaxRetryAfter = absl::Hours(24);

// Of a provider's sentence as it came, and as it is passed on.
inline constexpr size_t kMaxMessage = 2048;
inline constexpr size_t kMaxShortMessage = 200;

// One limit of a key as an answer tells it. `reset` is the time until `remaining` is `limit` again.
struct RateLimit {
  enum class Unit { kRequests, kTokens, kInputTokens, kOutputTokens };

  Unit unit = Unit::kRequests;
  std::optional<uint64_t> limit, remaining;
  std::optional<absl::Duration> reset;
};

struct Evidence {
  int http_status = 0;  // 0 = no response head
  std::string error_type;
  std::string error_code;
  std::optional<absl::Duration> retry_after;
  TransportError transport_error = TransportError::kNone;
  bool client_cancelled = false;
  bool caller_fault = false;  // a fault of the proxy itself
  bool incomplete = false;    // a 2xx that was cut, or carried an error event
  bool foreign_path = false;  // of the client's choice: a refusal says little of the key
  uint64_t input_tokens = 0;
  uint64_t output_tokens = 0;
  absl::Duration first_byte;
  absl::Duration total;
  std::vector<RateLimit> rate_limits;  // at most 16
  bool model_only = false;             // the refusal or the limits are of the request's model alone
  bool error_in_answer = false;        // a 2xx with an error or nothing in place of an answer; none went to a client
  bool quota_window = false;           // a window of quota is used up, and retry_after is its end
  std::string message;                 // the provider's sentence, of an error; at most kMaxMessage bytes
  std::string provider_request_id;     // what the provider calls the request; at most 128 bytes
  std::string detail;                  // of transport_error, in words: at most 200 bytes, no secrets, no addresses
};

}  // namespace ccr::proxy

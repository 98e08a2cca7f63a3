// The words of the domain.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"

namespace ccr::core {

// A key's slot in its pool: dense, stable while the key is in the pool.
using KeyIndex = uint32_t;
inline constexpr KeyIndex kNoKey = std::numeric_limits<KeyIndex>::max();

enum class KeyState : uint8_t { kActive, kCooling, kDisabled };
enum class CircuitState : uint8_t { kClosed, kOpen, kHalfOpen };

// The class of one attempt's evidence; see Classify().
enum class Outcome : uint8_t {
  kSuccess,
  kCallerFault,
  kAuth,
  kPermission,
  kQuota,
  kRateLimited,
  kOverloaded,
  kUpstreamFailure,
  kNeutral,
};

enum class TransportError : uint8_t {
  kNone,
  kConnect,
  kConnectTimeout,
  kSend,
  kFirstByteTimeout,
  kIdleTimeout,
  kRead,
  kName,
  kRefused,
  kTls,
  kProxy,
};

// One limit of a key as an answer told it. `reset` is the time until `remaining` is `limit` again.
struct RateLimit {
  enum class Unit : uint8_t { kRequests, kTokens, kInputTokens, kOutputTokens };

  Unit unit = Unit::kRequests;
  std::optional<uint64_t> limit, remaining;
  std::optional<absl::Duration> reset;
};
using RateLimits = absl::InlinedVector<RateLimit, 2>;
inline constexpr size_t kMaxRateLimits = 16;

// The head of a good answer.
struct Beginning {
  int http_status = 0;
  absl::Duration first_byte;  // 0 = not known
  RateLimits rate_limits = {};
};

// What the holder of a lease saw of one attempt.
struct Evidence {
  std::optional<bool> success;  // from callers without HTTP; ignored when any HTTP or transport field is set
  int http_status = 0;          // 0 = no response head
  std::string error_type;
  std::string error_code;
  std::optional<absl::Duration> retry_after;
  TransportError transport_error = TransportError::kNone;
  bool client_cancelled = false;
  bool caller_fault = false;
  bool incomplete = false;  // a 2xx that ended early or carried an error event
  // The caller chose the path itself, which may ask for rights that a good key does not have: a refusal says little.
  bool foreign_path = false;
  bool model_only = false;  // the refusal or the limits are of the lease's model alone
  // A 2xx that carried an error in place of an answer, or nothing that is an answer; none of it went to a client.
  bool error_in_answer = false;
  bool quota_window = false;  // a window of quota is used up, and retry_after is its end
  RateLimits rate_limits = {};
  uint64_t input_tokens = 0;
  uint64_t output_tokens = 0;
  absl::Duration first_byte;
  absl::Duration total;
  std::string detail;               // of transport_error, in words
  std::string message;              // the provider's sentence
  std::string provider_request_id;  // what the provider calls the request
};

// What an error of a provider means by the word of its user; counts before all that is known. Unset fields match anything.
struct ErrorRule {
  int status = 0;     // that the evidence stands for
  std::string code;   // its error code or type, exactly
  std::string match;  // part of its message, without case
  // kQuota, kAuth, kRateLimited, kOverloaded, kUpstreamFailure, or kCallerFault: certainly the request's.
  Outcome as = Outcome::kCallerFault;

  friend bool operator==(const ErrorRule&, const ErrorRule&) = default;
};

// Unguessable, unique over restarts. `epoch` is the broker's start, `pool` the pool's number in it.
struct LeaseId {
  uint32_t epoch = 0;
  uint32_t pool = 0;
  uint64_t random_high = 0;
  uint64_t random_low = 0;

  friend bool operator==(const LeaseId& a, const LeaseId& b) {
    return a.epoch == b.epoch && a.pool == b.pool && a.random_high == b.random_high && a.random_low == b.random_low;
  }
  template <typename H>
  friend H AbslHashValue(H h, const LeaseId& id) {
    return H::combine(std::move(h), id.random_high, id.random_low);
  }
};

// Who holds a lease: a lease stream's number, or kNoOwner for unary callers.
using OwnerId = uint64_t;
inline constexpr OwnerId kNoOwner = 0;

// A client's session: a keyed hash of its name, which is user data and stays outside.
using SessionHash = uint64_t;
inline constexpr SessionHash kNoSession = 0;

// What became of a session's preference for the key of its last success.
enum class Affinity : uint8_t {
  kNotAsked,   // no session, or the pool has no affinity
  kHit,        // that key was granted
  kMoved,      // that key was not available
  kNone,       // no such key is known: the session is new or was idle for long
  kOverShare,  // that key had more than its share of the load, so the strategy chose, the same one perhaps
};

// What finds out whether a disabled key is good again.
enum class TriedBy : uint8_t { kNobody, kProbe, kRequest };

std::string_view ToString(KeyState state);   // "active", "cooling", "disabled"
std::string_view ToString(Outcome outcome);  // "success", "caller_fault", "auth", ...
std::string_view ToString(TransportError error);
std::string_view ToString(TriedBy by);         // "nobody", "probe", "request"
std::string_view ToString(Affinity affinity);  // "not_asked", "hit", "moved", "none", "over_share"

}  // namespace ccr::core

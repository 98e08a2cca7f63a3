// One provider's keys: who may be leased, what reports do to them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/core/types.h"

namespace ccr::core {

struct KeySpec {
  std::string name;
  std::string fingerprint;  // identity: state follows it over reloads
  double weight = 1;        // 0 = only when no key with a weight is available
  uint32_t max_failures = 3;
  absl::Duration cooldown = absl::Minutes(1);
  uint32_t max_concurrent = 0;                        // 0 = no limit
  uint32_t rpm = 0;                                   // 0 = no limit
  absl::Duration probe_interval = absl::Minutes(10);  // until the first probe of a disabled key; 0 = none ever
};

struct PoolSpec {
  std::string name;
  std::string strategy = "round_robin";  // one of StrategyNames(); an unknown one is taken for round_robin
  std::vector<KeySpec> keys;             // at least one, fingerprints unique
  uint32_t max_concurrent = 0;           // of the pool in all; 0 = no limit
  uint32_t rpm = 0;
  absl::Duration lease_ttl = absl::Minutes(10);
  absl::Duration queue_wait = absl::ZeroDuration();  // upper bound of a wait; 0 = nobody waits
  uint32_t queue_size = 1000;
  absl::Duration trial_time = absl::Seconds(30);  // how long a trial holds up the next one
  bool session_affinity = true;                   // leases of a session prefer the key of its last success
  // How the provider is asked: a hash of address, authentication and what changes requests. When it changes, what the
  // provider said of its keys' right to ask counts no more.
  uint64_t access = 0;
};

// A change of configuration under way, see Pool::Number.
struct Reconfiguration {
  explicit Reconfiguration(PoolSpec s) : spec(std::move(s)) {}

  PoolSpec spec;                  // the new one; when all is adopted, the old one
  std::vector<KeyIndex> numbers;  // of the keys, in their order
  std::vector<KeyIndex> added;    // those of them that the pool knew nothing of
  size_t adopted = 0;             // progress
};

struct Grant {
  LeaseId id;
  KeyIndex key = kNoKey;
  bool trial = false;            // half-open trial of a key or of the circuit
  uint32_t candidates_left = 0;  // other keys that could be granted now
};

inline constexpr std::string_view kOwnLimits = "own_limits";

struct Refusal {
  enum class Why { kNoneAvailable, kAllDisabled, kCircuitOpen, kQueueFull, kWaitedTooLong };
  Why why = Why::kNoneAvailable;
  absl::Time retry_at = absl::InfiniteFuture();  // the earliest return of a key; infinite when none is in sight
  // Of kCircuitOpen: why it opened; kOwnLimits when rpm or max_concurrent hold back keys that work. Static storage.
  std::string_view reason = {};
};

using LeaseResult = std::variant<Grant, Refusal>;

enum class Disposition { kApplied, kDuplicate, kLate };
enum class Advice { kRelay, kRotate, kRetry };

struct Report {
  LeaseId id;
  Evidence evidence;
  // Of a request whose leases do not name each other (LeaseArgs::retry_of): keys refused before this one.
  uint32_t earlier_permission_denials = 0;
  uint32_t earlier_overloads = 0;
  std::string request_id = {};  // the caller's name of the request; for logs
};

struct Decision {
  Disposition disposition = Disposition::kApplied;
  Outcome outcome = Outcome::kNeutral;
  std::string_view reason;  // static storage
  Advice advice = Advice::kRelay;
  KeyIndex key = kNoKey;  // kNoKey when late or duplicate
  LeaseId lease;          // the one reported
};

// Something that happened, in order. Observers and stores get these in batches, after the pool's lock is released.
// - kSuccess and kFailure come once per report that says something of the key or its provider; `reason` is that of the
//   evidence.
// - kCooling and kDisabled tell of a begin and of each later deadline; `reason` is then the key's ("auth" or "failures"
//   for a disabled one).
// - kRecovered: the key is ACTIVE again; a trial succeeds with its first byte. `reason` is one of "cooldown_over",
//   "trial_succeeded", "probe_succeeded", "circuit_opened" (its failures were its provider's: the circuit holds back
//   the pool instead), "acquitted" (every key refused that request) and "access_changed" (the provider is asked in
//   another way now).
// - kProbed: a probe was answered, as `outcome` says.
// - kLeaseExpired: a lease ended without a report; `reason` is "expired" or "released".
// Reasserted leases bring none.
struct Transition {
  enum class Type : uint8_t {
    kLeased,
    kSuccess,
    kFailure,
    kCooling,
    kDisabled,
    kRecovered,
    kCircuitOpened,
    kCircuitClosed,
    kLeaseExpired,
    kQueued,
    kProbed,
  };
  Type type;
  KeyIndex key = kNoKey;  // kNoKey for the circuit's
  Outcome outcome = Outcome::kNeutral;
  std::string_view reason;
  absl::Time time;
  absl::Time
      available_at;  // kCooling: end; kDisabled: next trial, of an auth failure next probe; kCircuitOpened: next trial
  absl::Duration latency;                   // kSuccess: time to first byte
  absl::Duration wait;                      // kLeased: time in the queue
  Affinity affinity = Affinity::kNotAsked;  // kLeased
  uint64_t input_tokens = 0, output_tokens = 0;
  std::string request_id = {};  // the report's that brought it about; set by who reported
};

enum class CircuitState : uint8_t { kClosed, kOpen, kHalfOpen };

// What one sees of a key from outside.
struct KeySnapshot {
  KeyIndex key = kNoKey;
  KeyState state = KeyState::kActive;
  std::string_view reason;
  absl::Time available_at;                           // InfinitePast when ACTIVE
  absl::Time rate_allows_at = absl::InfinitePast();  // when rpm, its own or the pool's, holds it back: until then
  bool available = false;                            // could be granted now
  uint32_t consecutive_failures = 0, in_flight = 0, rpm_used = 0;
  uint64_t uses = 0, successes = 0, failures = 0, input_tokens = 0, output_tokens = 0;
  absl::Time last_used, last_failure, last_success;  // InfinitePast when never
  absl::Duration latency;                            // moving average of time to first byte
};

struct PoolSnapshot {
  std::vector<KeySnapshot> keys;  // in configuration order
  uint32_t available = 0, in_flight = 0, waiting = 0;
  uint32_t sessions = 0;  // whose last key is known
  CircuitState circuit = CircuitState::kClosed;
  absl::Time circuit_retry_at;
  std::string_view circuit_reason;  // why it opened; static storage, empty when CLOSED
  // acquired = reported + expired + in_flight; `expired` counts all that ended without a report, released ones too.
  uint64_t acquired = 0, reported = 0, expired = 0;
};

// The rules of broker/README.md, "A key's life". Not thread-safe: its owner holds one lock. No clock, no I/O; `now`
// never decreases (an earlier one is taken for the latest seen). Every method first does what has become due.
class Pool {
 public:
  Pool(PoolSpec spec, absl::Time now);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Applies a changed configuration: keys keep their state and leases by fingerprint; leases of removed keys stay valid
  // until they end, and count. A removed key that comes back is the one it was, as long as it is remembered (the last
  // 16384 that were removed). Take the transitions first: a new key may get the number of a forgotten one.
  void Reconfigure(PoolSpec spec, absl::Time now);

  // The same in steps of about `limit` keys, between which the pool serves: with a lock to be held for each alone.
  // Number until it returns true, then Adopt until it returns true; one change at a time. Numbering has no effect on
  // what is granted; from the first Adopt on, keys of both configurations may be.
  bool Number(Reconfiguration* change, size_t limit, absl::Time now);
  bool Adopt(Reconfiguration* change, size_t limit, absl::Time now);

  // Takes over what a store remembers of a key, before its first lease; deadlines that no rule could have set are cut
  // to what it could. Unknown fingerprints are ignored.
  void Restore(std::string_view fingerprint, const KeySnapshot& state, absl::Time now);
  void Restore(KeyIndex key, const KeySnapshot& state, absl::Time now);  // of Reconfiguration::added

  struct LeaseArgs {
    LeaseId id;  // the id that a grant will have; unguessable and new
    OwnerId owner = kNobody;
    absl::Span<const KeyIndex> excluded;
    SessionHash session = kNoSession;
    // The lease of the same request that was reported last, when its key was refused or an earlier one's was. The
    // success of this lease shows that the refused keys were at fault; no further lease, that the request was.
    LeaseId retry_of = {};
    std::string_view model = {};    // as the provider calls it; empty: not known
    uint64_t estimated_tokens = 0;  // 0 = not known
  };
  // Grants at once or refuses. While others wait who could go, newcomers are refused (they should Wait). A disabled key
  // whose trial is due is granted before any other; then the key of the session's last success, when it is available
  // and has not more than its share of the load; else the strategy picks. A session that is not known keeps to the key
  // of its first lease, as long as one of that key is in flight.
  LeaseResult Lease(const LeaseArgs& args, absl::Time now, absl::BitGenRef random);

  // Lease, or join the queue until `max_wait` (capped by the spec) is over: then nothing is returned, and the answer
  // comes out of Poll under `args.id`. Waiters are let go at the pace at which keys return and leases end, first come
  // first served; one whose exclusions leave it no key holds up neither them nor newcomers.
  std::optional<LeaseResult> Wait(const LeaseArgs& args, absl::Duration max_wait, absl::Time now,
                                  absl::BitGenRef random);
  // Gives up a wait. False when `id` does not wait.
  bool CancelWait(const LeaseId& id, absl::Time now);

  struct Answer {
    LeaseId id;
    LeaseResult result;
  };
  // Does all that is due (expiry, returns, end of grace) and appends the answers of waiters. Call it after Report,
  // Release and when NextDue() has come.
  void Poll(absl::Time now, absl::BitGenRef random, std::vector<Answer>* answers);
  absl::Time NextDue() const;  // InfiniteFuture when nothing is scheduled

  // A good answer to the lease's request has begun: its status is a 2xx. It succeeds from now on, as far as trials,
  // sessions, waiters, failures in a row and latency are concerned; the report counts it, and may still tell that it
  // was cut, as an ordinary failure. Changes nothing, and returns false, with another status, a second time, and when
  // the lease has ended.
  bool Progress(const LeaseId& id, const Beginning& beginning, absl::Time now, absl::BitGenRef random);
  // Ends a lease with evidence, exactly once. Duplicate: it was reported before; late: it ended otherwise, or is
  // unknown. The advice stands in any case.
  Decision Apply(const Report& report, absl::Time now, absl::BitGenRef random);
  // Extends a lease to ttl from now. False when it has ended.
  bool Renew(const LeaseId& id, absl::Time now);
  bool Holds(const LeaseId& id) const;  // it is in flight here
  // Ends a lease without evidence (its client gave up, its stream ended). False when it had ended before.
  bool Release(const LeaseId& id, absl::Time now);

  // The stream of `owner` broke: unless Reassert names them again, its leases end at `deadline`. Its waiters are
  // dropped.
  void Orphan(OwnerId owner, absl::Time deadline, absl::Time now);
  // A (re)connected stream holds this lease. Takes over one of an earlier stream, or of an earlier run of the broker;
  // false when it has ended in this run, or when the key is not in the pool.
  bool Reassert(const LeaseId& id, OwnerId owner, std::string_view fingerprint, absl::Time now);

  // Appends up to `limit` keys whose probe is due. They are not named again until OnProbe.
  void TakeProbes(uint32_t limit, absl::Time now, std::vector<KeyIndex>* keys);
  absl::Time NextProbe() const;  // of a key that is not being probed; InfiniteFuture when there is none. Not in NextDue
  // The result of an active probe. Of a disabled key: success re-activates it, 401 and 403 double the time until the
  // next, anything else schedules it after the same time as before. Of a suspect: an auth failure disables it, success
  // acquits. It is no use and no lease.
  void OnProbe(KeyIndex key, const Evidence& evidence, absl::Time now, absl::BitGenRef random);

  KeyIndex Find(std::string_view fingerprint) const;  // kNoKey when unknown
  const KeySpec& key(KeyIndex index) const;
  const PoolSpec& spec() const;
  PoolSnapshot Snapshot(absl::Time now);
  // One key, as a snapshot has it; O(1). Removed ones too, as long as they are remembered. As of the last call of
  // another method.
  std::optional<KeySnapshot> Describe(KeyIndex key);

  // Hands out what has happened since the last call. Keeps the vector's capacity going back and forth.
  void TakeTransitions(std::vector<Transition>* out);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ccr::core

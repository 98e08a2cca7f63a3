// One provider's keys: who may be leased, what reports do to them.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/core/lease_result.h"
#include "broker/core/pool_spec.h"
#include "broker/core/report.h"
#include "broker/core/snapshot.h"
#include "broker/core/transition.h"
#include "broker/core/types.h"

namespace ccr::core {

// The rules of broker/README.md, "A key's life". Not thread-safe: its owner holds one lock. No clock, no I/O; `now`
// never decreases (an earlier one is taken for the latest seen). Every method first does what has become due, of keys and
// lanes whose rest is over 512 at the most: while there are more, NextDue() is not after `now`.
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
  // what is granted; from the first Adopt on, keys of both configurations may be. Each step brings about no more than
  // two transitions a key.
  bool Number(Reconfiguration* change, size_t limit, absl::Time now);
  bool Adopt(Reconfiguration* change, size_t limit, absl::Time now);

  // Takes over what a store remembers of a key, before its first lease; deadlines that no rule could have set are cut
  // to what it could. Unknown fingerprints are ignored.
  void Restore(std::string_view fingerprint, const KeySnapshot& state, absl::Time now);
  void Restore(KeyIndex key, const KeySnapshot& state, absl::Time now);  // of Reconfiguration::added

  struct LeaseArgs {
    LeaseId id;  // the id that a grant will have; unguessable and new
    OwnerId owner = kNoOwner;
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
  // The same without keys and `available`, in O(1). With order() and Describe it is a snapshot in steps.
  PoolSnapshot Outline(absl::Time now);
  absl::Span<const KeyIndex> order() const;  // of the configuration
  // One key, as a snapshot has it; O(1). Removed ones too, as long as they are remembered. As of the last call of
  // another method.
  std::optional<KeySnapshot> Describe(KeyIndex key);
  // The same, but of a key that is out what Restore needs: the state it would be in.
  std::optional<KeySnapshot> DescribeUnderneath(KeyIndex key);

  // People take a key out until then (InfiniteFuture: for good; it is not probed meanwhile), or with InfinitePast put it
  // back as it was or has become. Its leases go on, and their reports count. `reason` has static storage.
  void TakeOut(KeyIndex key, absl::Time until, std::string_view reason, absl::Time now);
  // Whatever was said of the key is forgotten, and what was learned of its limits: it is ACTIVE, or out as before. Where
  // the circuit is open its trial is due. Totals and declared limits stay.
  void Reset(KeyIndex key, absl::Time now);

  // Hands out what has happened since the last call. Keeps the vector's capacity going back and forth.
  void TakeTransitions(std::vector<Transition>* out);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ccr::core

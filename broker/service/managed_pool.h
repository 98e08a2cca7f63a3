// One pool with its lock, its secrets and its waiters.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "broker/base/clock.h"
#include "broker/base/mutex.h"
#include "broker/core/pool.h"
#include "broker/ports/key_prober.h"
#include "broker/ports/key_store.h"
#include "broker/ports/observer.h"
#include "broker/service/journal.h"
#include "broker/service/lease.h"
#include "broker/service/pool_info.h"
#include "broker/service/session_hasher.h"
#include "broker/service/simulation/recorder.h"

namespace ccr {

struct PoolStatus {
  std::shared_ptr<const PoolInfo> info;
  core::PoolSnapshot snapshot;
  std::vector<LastError> last_errors;  // in the order of snapshot.keys
};

// Thread-safe. The lock guards the core and is held for the core's work only. Every step that may change something is
//   lock, the core's work, Leave(), unlock, Perform().
// Leave puts what the step brought about into the journal under the lock, hence in order. Perform answers waiters and
// starts probes without it, on whichever thread caused that: an answer's callback may call this pool again, so whoever
// calls a method must hold no lock that such a callback takes.
class ManagedPool : public std::enable_shared_from_this<ManagedPool> {
 public:
  // Shared by all pools of a service; outlives them.
  struct Environment {
    const Clock* clock = nullptr;
    Journal* journal = nullptr;
    std::vector<Observer*> observers;      // told of answers here, of all else by the journal
    std::function<void(absl::Time)> wake;  // asks for a Sweep at that time
    uint32_t epoch = 0;
    SessionHasher sessions = {};
    KeyProber* prober = nullptr;
    const simulation::RecordBudget* record = nullptr;  // null: nothing is recorded
  };

  // `number` goes into the ids of leases. `remembered` is what the store knows of keys of this name.
  ManagedPool(uint32_t number, PoolPlan plan, const RememberedKeys& remembered, const Environment* env);
  ManagedPool(const ManagedPool&) = delete;
  ManagedPool& operator=(const ManagedPool&) = delete;

  // Keys keep their state by fingerprint, also those that left and come back; those that are new to the pool get what
  // is remembered of them. The lock is held for kStep keys at a time, and leases go on in between. One call at a time.
  // Observers hear of it from Announce().
  void Reconfigure(PoolPlan plan, const RememberedKeys& remembered);
  // Tells observers that the pool is there or was changed, once.
  void Announce();
  // The pool left the configuration: who waits or comes later is refused, leases that are still out are forgotten.
  void Retire();
  // Refuses with `status` all who wait, and all who come later.
  void Close(const absl::Status& status);

  // An answer, or nothing when the request waits: then the callback that `start` makes gets the answer.
  std::optional<LeaseAnswer> Lease(const LeaseParams& params, WaitStart start);
  // False when `id` does not wait: its callback was or is being called.
  bool CancelWait(const core::LeaseId& id);

  // The answer must not leave before its `commit` is tried.
  ReportAnswer Apply(const core::Report& report);
  bool Progress(const core::LeaseId& id, const core::Beginning& beginning);
  bool Renew(const core::LeaseId& id);
  bool Holds(const core::LeaseId& id);  // it is in flight here
  bool Release(const core::LeaseId& id);

  // The stream of `owner` ended: its waiters are dropped, its leases end at `deadline` unless reasserted.
  void Orphan(core::OwnerId owner, absl::Time deadline);
  bool Reassert(const core::LeaseId& id, core::OwnerId owner, std::string_view fingerprint);

  // Does what is due; returns when there is more to do.
  absl::Time Sweep();
  // Writes the state of the keys used or reported since then, through the journal and a bounded number at a time: the
  // lock is held shortly, and what others add stands behind one batch at most. Returns when the last was tried.
  void Save(absl::Time since);

  // What people do. False when the pool has no such key; `fingerprint` is exact.
  bool TakeOut(std::string_view fingerprint, absl::Time until);  // see core::Pool::TakeOut; InfinitePast: puts it back
  bool Reset(std::string_view fingerprint);
  // Asks the provider about the key now, whatever its state, and takes the answer as any probe's. `done` is called once,
  // on any thread, unless the prober ends before. NotFound; FailedPrecondition where there is nothing to ask.
  struct Probed {
    core::Outcome outcome;
    core::Evidence evidence;
    absl::Duration took;
  };
  absl::Status Probe(std::string_view fingerprint, std::function<void(const Probed&)> done);
  std::optional<Secret> SecretOf(std::string_view fingerprint) const;  // nothing when the pool has no such key
  std::vector<core::KeySpec> Keys();                                   // as they are now, in order
  // The plan that it runs by, with its keys as they are now.
  PoolPlan Plan();
  std::optional<PoolStatus> StatusOf(std::string_view fingerprint);  // of that key alone

  // Of all keys, with the lock held for kStep at a time: sums over keys may differ from the totals while requests go on.
  PoolStatus Status();
  simulation::Record Past();  // what happened in the last hours
  std::shared_ptr<const PoolInfo> info() const;
  uint32_t number() const { return number_; }

 private:
  static constexpr size_t kStep = 512;  // keys

  struct Waiter {
    core::OwnerId owner;
    LeaseCallback done;
  };
  // What a critical section leaves to be done after it.
  struct Effects {
    std::vector<std::pair<LeaseCallback, LeaseAnswer>> answers;
    absl::Time next_due;
    std::vector<std::pair<std::string, KeyProbe>> probes;  // by fingerprint
    Journal::Position commit = Journal::kNowhere;          // of the records of the step, if it has any
  };

  bool Number(core::Reconfiguration* change, const RememberedKeys& remembered) CCR_EXCLUDES(mutex_);
  bool Adopt(core::Reconfiguration* change) CCR_EXCLUDES(mutex_);
  void SetInfo(std::shared_ptr<const PoolInfo> info) CCR_EXCLUDES(mutex_);
  LeaseAnswer ToAnswer(const core::LeaseResult& result, absl::Time now) const CCR_REQUIRES(mutex_);
  std::optional<LeaseAnswer> LeaseLocked(const LeaseParams& params, core::SessionHash session, WaitStart start)
      CCR_REQUIRES(mutex_);
  void NoteError(const core::Report& report, const core::Decision& decision) CCR_REQUIRES(mutex_);
  Effects Leave(bool removed = false) CCR_REQUIRES(mutex_);  // the last of a step
  void TakeProbes(absl::Time now, Effects* effects) CCR_REQUIRES(mutex_);
  KeyProbe ProbeOf(core::KeyIndex key) const CCR_REQUIRES(mutex_);
  void OnProbed(const std::string& fingerprint, const core::Evidence& evidence) CCR_EXCLUDES(mutex_);
  Journal::Position Publish(bool removed) CCR_REQUIRES(mutex_);
  void NoteConvictions() CCR_REQUIRES(mutex_);
  std::vector<Record> ChangedKeys() CCR_REQUIRES(mutex_);
  bool DescribeSome(absl::Span<const core::KeyIndex> keys, size_t* next, PoolStatus* status) CCR_EXCLUDES(mutex_);
  bool SaveSome(absl::Time since, core::KeyIndex* next) CCR_EXCLUDES(mutex_);
  void End(const absl::Status& status, bool removed) CCR_EXCLUDES(mutex_);
  void Perform(Effects effects) CCR_EXCLUDES(mutex_);
  void TellRefusal(const LeaseAnswer& answer) CCR_EXCLUDES(mutex_);

  const uint32_t number_;
  const Environment* const env_;
  mutable Mutex mutex_;
  core::Pool pool_ CCR_GUARDED_BY(mutex_);
  simulation::Recorder recorder_ CCR_GUARDED_BY(mutex_);
  std::shared_ptr<const PoolInfo> info_ CCR_GUARDED_BY(mutex_);
  absl::flat_hash_map<core::LeaseId, Waiter> waiters_ CCR_GUARDED_BY(mutex_);
  std::deque<LastError> last_errors_ CCR_GUARDED_BY(mutex_);  // by KeyIndex; growing moves none
  // Failures that may be the request's fault or the key's, of the latter's last such report: its last error once it is
  // out for that.
  absl::flat_hash_map<core::KeyIndex, LastError> doubted_errors_ CCR_GUARDED_BY(mutex_);
  std::string request_id_ CCR_GUARDED_BY(mutex_);  // that the step under way is for; empty: none
  uint32_t probing_ CCR_GUARDED_BY(mutex_) = 0;
  std::vector<core::KeyIndex> probe_keys_ CCR_GUARDED_BY(mutex_);
  std::vector<core::Pool::Answer> poll_answers_ CCR_GUARDED_BY(mutex_);
  std::vector<core::Transition> transitions_ CCR_GUARDED_BY(mutex_);  // of the step under way
  bool announce_ CCR_GUARDED_BY(mutex_) = false;
  bool retired_ CCR_GUARDED_BY(mutex_) = false;                // law: then nothing is told any more
  std::optional<absl::Status> closed_ CCR_GUARDED_BY(mutex_);  // who comes is refused so; law: then nobody waits
};

}  // namespace ccr

// The broker without its network: pools, leases, streams and configuration behind one plain C++ interface.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/base/clock.h"
#include "broker/base/mutex.h"
#include "broker/base/secret.h"
#include "broker/config/config.h"
#include "broker/ports/key_prober.h"
#include "broker/ports/key_store.h"
#include "broker/ports/observer.h"
#include "broker/service/journal.h"
#include "broker/service/lease.h"
#include "broker/service/managed_pool.h"
#include "broker/service/overlay.h"
#include "broker/service/pool_directory.h"
#include "broker/service/reload.h"
#include "broker/service/routing.h"
#include "broker/service/simulation/recorder.h"
#include "broker/service/simulation/simulator.h"
#include "broker/service/simulation/worker.h"
#include "broker/service/stream_registry.h"

namespace ccr {

// Thread-safe. What changes a key for the worse is durable before it is acknowledged, see Report. Nothing blocks but
// Apply, Checkpoint, Flush and Settle, which wait for the store: they must not be called where answers are made.
class BrokerService {
 public:
  struct Options {
    const Clock* clock = nullptr;  // this and the next two outlive the service
    KeyStore* store = nullptr;
    std::vector<Observer*> observers;
    Secret fingerprint_salt;               // 32 bytes, the same over restarts
    std::function<void(absl::Time)> wake;  // asks for a Sweep() at that time; from any thread, must not block
    KeyProber* prober = nullptr;           // null: no probes. It ends before the service does
    size_t record_bytes = simulation::Recorder::kBytes;  // for what Simulate() replays; 0 = nothing is recorded
  };
  explicit BrokerService(Options options);
  // Writes what has happened. Answers that still wait for it are released first.
  ~BrokerService();
  BrokerService(const BrokerService&) = delete;
  BrokerService& operator=(const BrokerService&) = delete;

  // Takes a configuration into effect: pools of the same name keep their keys' state by fingerprint, new ones are added
  // with what the store remembers, missing ones removed. On an error nothing has changed. One call at a time takes
  // effect.
  absl::Status Apply(Config config);
  // As Apply does: the names under which its keys will be known.
  void NameKeys(Config* config) const;

  // Grants a key, or says why not. With `max_wait`, and when the pool lets requests wait, the answer may come later:
  // then nothing is returned and the callback that `start` makes is called exactly once, unless the wait is cancelled
  // or its stream closes.
  std::optional<LeaseAnswer> Lease(const LeaseParams& params, WaitStart start);

  // Gives up a wait. False when there is none: its callback was or is being called.
  bool CancelWait(const core::LeaseId& id);

  // Ends a lease with evidence. Late and repeated reports are answered and change nothing. The decision is known at
  // once, but who acknowledges it waits for its commit first: AwaitCommit.
  ReportAnswer Report(const core::Report& report);
  // True when the store has not yet been given what `report` changed: then `done` is called once when it was, on a
  // thread that must not be blocked. Else false, and so for every success.
  bool AwaitCommit(const ReportAnswer& report, std::function<void()> done) {
    return journal_.Await(report.commit, std::move(done));
  }

  // The lease for another attempt after `report`: like Lease, but not of the reported key. When only that key is left
  // and the failure was the provider's (advice kRetry), that key may be granted again, if its state allows.
  std::optional<LeaseAnswer> LeaseNext(const LeaseParams& params, const ReportAnswer& report, WaitStart start);

  // A good answer has begun; see core::Pool::Progress. False when that changes nothing.
  bool Progress(const core::LeaseId& id, const core::Beginning& beginning);
  // Extends a lease; returns its ttl from now on, or nothing when it has ended.
  std::optional<absl::Duration> Renew(const core::LeaseId& id);
  // The pool that granted the lease, or that took it over from an earlier run; nothing when no pool knows it.
  std::optional<std::string> PoolOf(const core::LeaseId& id) const;
  // Ends a lease without evidence. False when it had ended before.
  bool Release(const core::LeaseId& id);

  struct HeldLease {
    core::LeaseId id;
    std::string_view pool;
    std::string_view fingerprint;
  };
  struct OpenedStream {
    core::OwnerId owner = core::kNoOwner;
    std::vector<size_t> lost;  // indices into `held` of leases that could not be taken over
  };
  // A client's stream begins. It takes over `held`, of an earlier stream or an earlier run of the broker. Other leases
  // of earlier streams with this token end: at once when such a stream seemed to be open still, else with their grace
  // time.
  OpenedStream OpenStream(std::string_view token, absl::Span<const HeldLease> held);
  // It ended: its waits are dropped, its leases end after the grace time unless a new stream takes them over.
  void CloseStream(core::OwnerId owner);
  absl::Duration stream_grace() const { return absl::Nanoseconds(stream_grace_ns_.load(std::memory_order_relaxed)); }
  uint32_t streams() const { return streams_.open(); }

  // What people change while the broker runs. It is in effect and durable when it is acknowledged, and stands over the
  // file's entry for as long as the file does not change that entry. These wait for one another, for a reload and for the
  // store, and so must not be called where answers are made.
  //   NotFound            no such pool or key; the message names the nearest
  //   InvalidArgument     names what is wrong with the change
  //   FailedPrecondition  it cannot be made as things are
  //   Unavailable         it is in effect, but the store does not take it: it is tried again until it does
  struct KeyRef {
    std::string pool;
    std::string key;  // its name or its fingerprint
  };
  // Not leased from then on, for so long (InfiniteDuration: until it is enabled); leases that are out go on.
  absl::StatusOr<PoolStatus> DisableKey(const KeyRef& ref, absl::Duration at_most);
  // May be leased at once: it is put back, and where failures or refusals had disabled it that is forgotten.
  absl::StatusOr<PoolStatus> EnableKey(const KeyRef& ref);
  // What answers have said of it is forgotten, and what was learned of its limits.
  absl::StatusOr<PoolStatus> ResetKey(const KeyRef& ref);
  absl::Status RemoveKey(const KeyRef& ref);  // not the last one of its pool
  struct AddedKey {
    enum class Outcome { kAdded, kKnown, kInvalid };
    Outcome outcome = Outcome::kAdded;
    std::string name, fingerprint;
    std::string message;  // why not
  };
  // All that can be added are, in one change. With `dry_run` none is, and the answer says what would be. A key needs its
  // secret; a name that is empty is made as for a key of the file.
  absl::StatusOr<std::vector<AddedKey>> AddKeys(const std::string& pool, std::vector<KeyConfig> keys, bool dry_run);
  absl::StatusOr<PoolStatus> ChangePool(const std::string& pool, const PoolChange& change);
  // What is wrong with changes that people have made: sentences that name provider and key.
  std::vector<std::string> change_problems() const;
  absl::StatusOr<PoolStatus> GetKey(const KeyRef& ref) const;  // of that key alone; NotFound as above
  // Asks the provider about the key; see ManagedPool::Probe. Does not wait.
  absl::Status ProbeKey(const KeyRef& ref, std::function<void(const ManagedPool::Probed&)> done);

  std::vector<PoolStatus> ListPools();
  std::optional<PoolStatus> GetPool(std::string_view name);
  RoutingHub& routing() { return routing_; }

  struct SimulationParams {
    std::string pool;                             // empty: all
    std::string strategy;                         // empty: that of the proposal, else the one of now
    std::vector<simulation::Proposal> proposals;  // by spec.name; not empty: other pools are left out
  };
  using Simulations = std::vector<simulation::PoolSimulation>;
  // Replays what was recorded of the last hours, on a thread of its own, and calls `done` there, or at once with an error:
  //   NotFound            no such pool
  //   InvalidArgument     no such strategy; no proposal is for a pool
  //   FailedPrecondition  nothing is recorded
  //   ResourceExhausted   another one is under way
  //   Unavailable         the broker is shutting down
  void Simulate(SimulationParams params, std::function<void(absl::StatusOr<Simulations>)> done);

  // Does what is due in every pool, answers waiters, returns when there is more to do.
  absl::Time Sweep();

  // From now on leases are refused with Unavailable, waiting ones too. Reports are still taken.
  void BeginDrain();
  // Writes the state of the keys used since the last call, and what the store has refused before. Returns when to call
  // again: counters are at most that old after a crash.
  absl::Time Checkpoint();
  // As Checkpoint, for the end: what was used before the last one is written already.
  absl::Status Flush();
  // Waits until what has happened was written and told to observers, not longer than `at_most`. Not OK while the store
  // refuses something.
  absl::Status Settle(absl::Duration at_most = absl::InfiniteDuration()) { return journal_.Settle(at_most); }
  Journal::Stats journal_stats() const { return journal_.stats(); }

  // Counts reloads and keeps the latest, for those who watch. Thread-safe.
  void RecordReload(ReloadReport report);
  struct ReloadCounts {
    uint64_t succeeded = 0, failed = 0;
    bool last_succeeded = true;
  };
  ReloadCounts reloads() const;
  std::optional<ReloadReport> last_reload() const;  // nothing before the first

  uint32_t epoch() const { return env_.epoch; }
  absl::Time started_at() const { return started_at_; }
  absl::Time Now() const { return env_.clock->Now(); }

 private:
  std::shared_ptr<const PoolDirectory> directory() const;
  void Save(absl::Time since);
  std::vector<std::shared_ptr<ManagedPool>> BuildPools(Config* config, std::vector<KeyRecord> records)
      CCR_REQUIRES(apply_mutex_);
  void LayOver(Config* config, std::vector<ChangeRecord> changes) CCR_REQUIRES(apply_mutex_);
  struct FoundKey {
    std::shared_ptr<ManagedPool> pool;
    core::KeySpec key;
  };
  absl::StatusOr<std::shared_ptr<ManagedPool>> FindPool(const std::string& name) const;
  absl::StatusOr<FoundKey> FindKey(const KeyRef& ref) const;
  absl::StatusOr<PoolStatus> SwitchKey(const FoundKey& found, bool enabled, absl::Time until)
      CCR_REQUIRES(apply_mutex_);
  void Note(const ManagedPool& pool, std::vector<ChangeRecord> changes) CCR_REQUIRES(apply_mutex_);
  absl::Status Committed();
  absl::StatusOr<PoolStatus> StatusOf(const FoundKey& found);
  absl::StatusOr<Simulations> SimulateNow(const SimulationParams& params, const std::function<bool()>& stop);
  simulation::PoolPast PastOf(ManagedPool* pool) const;
  std::vector<ManagedPool*> Candidates(const PoolDirectory& directory, const core::LeaseId& id) const;

  // Ends last. The destructor has stopped its thread by then, which answers callers and tells observers, before any
  // member is gone.
  Journal journal_;
  NoProber no_prober_;
  simulation::RecordBudget record_;
  ManagedPool::Environment env_;
  const Fingerprinter fingerprinter_;
  const absl::Time started_at_;
  RoutingHub routing_;
  StreamRegistry streams_;
  std::atomic<int64_t> stream_grace_ns_{0};
  std::atomic<bool> draining_{false};

  // Lock order: apply_mutex_, then a pool's lock, then the journal's. mutex_ is held for copying a pointer or a few
  // numbers, never around a call of a pool: a reload may take long, and every request reads the directory.
  Mutex apply_mutex_;
  uint32_t next_number_ CCR_GUARDED_BY(apply_mutex_) = 0;
  Overlay overlay_ CCR_GUARDED_BY(apply_mutex_);
  std::shared_ptr<const MasterKeys> master_keys_ CCR_GUARDED_BY(apply_mutex_);  // of the configuration in effect
  mutable Mutex mutex_;
  std::shared_ptr<const PoolDirectory> directory_ CCR_GUARDED_BY(mutex_);
  std::vector<std::string> change_problems_ CCR_GUARDED_BY(mutex_);
  ReloadCounts reloads_ CCR_GUARDED_BY(mutex_);
  std::optional<ReloadReport> last_reload_ CCR_GUARDED_BY(mutex_);
  absl::Time last_checkpoint_ CCR_GUARDED_BY(mutex_) = absl::InfinitePast();

  simulation::Worker simulations_;
};

}  // namespace ccr

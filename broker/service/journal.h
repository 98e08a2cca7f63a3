// The one way from what happens in the broker to the store, to those whose answers wait for it, and to observers.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "broker/base/mutex.h"
#include "broker/ports/key_store.h"
#include "broker/ports/observer.h"
#include "broker/service/pending_records.h"

namespace ccr {

// Takes entries in an order (a pool adds its own under its lock, so they stand in the order in which they happened) and
// has one writer, which for each bounded batch of them, in order,
//   1. commits the records,
//   2. releases the answers that wait for them (Await),
//   3. tells observers.
// So an answer that was released was committed before, and nothing overtakes: a checkpoint is entries like any other.
//
// A store that refuses a commit holds nobody up: the records are kept, the last one of each key, and tried again with
// the next entry that has records; then their answers are released all the same. It is logged when that begins and when
// it is over. A commit under way for long holds back the answers of its batch and all events, but no lease and no
// answer that need not be durable.
//
// Back-pressure: none on those who add, who must not wait for a disk. What waits is bounded instead: records by the
// number of keys, answers by the leases in flight (a report is answered before its caller has another), events by
// kMaxEvents: beyond it, those that say nothing of a key's state (leased, success, queued, expired) are dropped and
// their number logged.
//
// Entries without records are not urgent: the writer gathers them for kLinger, so that a busy pool wakes nobody.
// Thread-safe. The store and the observers outlive it.
class Journal {
 public:
  static constexpr size_t kMaxBatch = 1024;     // records in one commit
  static constexpr size_t kMaxEvents = 65'536;  // transitions that wait to be told
  static constexpr absl::Duration kLinger = absl::Milliseconds(50);

  // The place of an entry: growing, from 1 on.
  using Position = uint64_t;
  static constexpr Position kNowhere = 0;

  // What one step of a pool brought about. Observers hear: added, transitions, removed.
  struct Entry {
    std::shared_ptr<const PoolNames> pool;
    bool added = false;
    bool removed = false;
    absl::Span<const core::Transition> transitions;  // copied
    std::vector<Record> records;
  };

  Journal(KeyStore* store, std::vector<Observer*> observers) : store_(store), observers_(std::move(observers)) {}
  ~Journal() { Stop(); }
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Starts the writer's thread. Without one the entries are written by RunOnce and Settle.
  void Start();
  // Writes what was added and ends the thread.
  void Stop();

  // Never blocks for the store; may be called with locks held.
  Position Add(Entry entry);

  // Tries again what the store has refused, if there is any.
  void Retry();

  // True when `done` will be called, once: when the commit of `position` was tried. False when it was already, and for
  // kNowhere. `done` runs on the writer's thread with no lock held; it must not block and not call Settle.
  bool Await(Position position, std::function<void()> done);

  // Writes one batch on the caller's thread; false when there was none. For those who have not called Start.
  bool RunOnce();

  // Waits until all that was added before is committed or kept, and told, but not longer than `at_most`. The status is
  // that of the store: not OK while it has records to take.
  absl::Status Settle(absl::Duration at_most = absl::InfiniteDuration());

  // What the store remembers, and over it what it has refused and what was added before this call. The first call
  // makes this journal the owner of the store.
  struct Remembered {
    std::vector<KeyRecord> keys;        // the last of a key wins
    std::vector<ChangeRecord> changes;  // the last of a name wins; empty ones too
  };
  absl::StatusOr<Remembered> Load();

  struct Stats {
    uint64_t records = 0;  // kept, not yet written
    uint64_t writes = 0, failures = 0;
    uint64_t dropped_events = 0;
    absl::Duration busy;  // spent in the store
  };
  Stats stats() const;

 private:
  // An entry, or several of one pool that follow each other.
  struct Queued {
    Position position = kNowhere;
    std::shared_ptr<const PoolNames> pool;
    bool added = false;
    bool removed = false;
    bool retry = false;
    std::vector<core::Transition> transitions;
    std::vector<Record> records;
  };
  enum class Writer : uint8_t { kBusy, kLingering, kIdle };

  Position Push(Entry entry, bool retry) CCR_EXCLUDES(mutex_);
  Queued* TailFor(const Entry& entry) CCR_REQUIRES(mutex_);
  void AddEvents(absl::Span<const core::Transition> transitions, Queued* to) CCR_REQUIRES(mutex_);
  std::vector<Queued> Take() CCR_REQUIRES(mutex_);
  void Write(std::vector<Queued> batch) CCR_EXCLUDES(mutex_);
  absl::Status Commit() CCR_REQUIRES(store_mutex_);
  absl::Status Own() CCR_REQUIRES(store_mutex_);
  void Release(Position up_to) CCR_EXCLUDES(mutex_);
  void Tell(const std::vector<Queued>& batch) CCR_EXCLUDES(mutex_);
  void Run();
  std::vector<Queued> Next();

  KeyStore* const store_;
  const std::vector<Observer*> observers_;
  std::thread thread_;

  // Held by the writer while it commits; before mutex_.
  Mutex store_mutex_;
  PendingRecords pending_ CCR_GUARDED_BY(store_mutex_);
  Fence fence_ CCR_GUARDED_BY(store_mutex_) = 0;  // 0: the store is not ours yet

  // Laws: told_ <= tried_ <= last_; queue_ ends with last_ unless it is empty, and the writer has taken what is between
  // tried_ and its front; answers_ has only positions above tried_.
  mutable Mutex mutex_;
  CondVar wake_;   // the writer's
  CondVar moved_;  // told_ has changed
  std::deque<Queued> queue_ CCR_GUARDED_BY(mutex_);
  std::multimap<Position, std::function<void()>> answers_ CCR_GUARDED_BY(mutex_);
  Position last_ CCR_GUARDED_BY(mutex_) = kNowhere;   // added
  Position tried_ CCR_GUARDED_BY(mutex_) = kNowhere;  // committed, or refused and kept
  Position told_ CCR_GUARDED_BY(mutex_) = kNowhere;
  std::vector<core::Transition> spare_ CCR_GUARDED_BY(mutex_);  // empty; what was told last, for its capacity
  size_t events_ CCR_GUARDED_BY(mutex_) = 0;                    // transitions in queue_
  uint64_t dropped_ CCR_GUARDED_BY(mutex_) = 0;                 // since the last log line
  bool urgent_ CCR_GUARDED_BY(mutex_) = false;
  bool stopping_ CCR_GUARDED_BY(mutex_) = false;
  Writer writer_ CCR_GUARDED_BY(mutex_) = Writer::kBusy;
  absl::Status last_status_ CCR_GUARDED_BY(mutex_);
  Stats stats_ CCR_GUARDED_BY(mutex_);
};

}  // namespace ccr

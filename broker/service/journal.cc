#include "broker/service/journal.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "broker/base/absl_text.h"
#include "broker/base/log.h"

namespace ccr {
namespace {

bool SaysNothingOfAKey(core::Transition::Type type) {
  using Type = core::Transition::Type;
  return type == Type::kLeased || type == Type::kSuccess || type == Type::kQueued || type == Type::kLeaseExpired;
}

}  // namespace

void Journal::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Journal::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  while (RunOnce()) {
  }
}

Journal::Position Journal::Add(Entry entry) {
  return Push(std::move(entry), /*retry=*/false);
}

void Journal::Retry() {
  if (stats().records > 0) Push(Entry(), /*retry=*/true);
}

Journal::Position Journal::Push(Entry entry, bool retry) {
  bool wake = false;
  Position position = kNowhere;
  {
    MutexLock lock(mutex_);
    Queued* queued = TailFor(entry);
    if (queued == nullptr) {
      queued = &queue_.emplace_back();
      queued->position = ++last_;
      queued->pool = std::move(entry.pool);
      queued->transitions.swap(spare_);
    }
    position = queued->position;
    queued->added |= entry.added;
    queued->removed |= entry.removed;
    queued->retry |= retry;
    AddEvents(entry.transitions, queued);
    const bool urgent = !entry.records.empty() || retry;
    std::move(entry.records.begin(), entry.records.end(), std::back_inserter(queued->records));
    // Who wakes the writer takes it for busy at once: those who add until it runs need not wake it again.
    wake = writer_ == Writer::kIdle || (urgent && writer_ == Writer::kLingering);
    if (wake) writer_ = Writer::kBusy;
    urgent_ |= urgent;
  }
  if (wake) wake_.notify_one();
  return position;
}

// Merged entries keep the order "added, transitions, removed" of one.
Journal::Queued* Journal::TailFor(const Entry& entry) {
  if (queue_.empty()) return nullptr;
  Queued& tail = queue_.back();
  const bool same = tail.pool == entry.pool && !entry.added && !tail.removed;
  return same && tail.records.size() + entry.records.size() <= kMaxBatch ? &tail : nullptr;
}

void Journal::AddEvents(absl::Span<const core::Transition> transitions, Queued* to) {
  if (events_ + transitions.size() <= kMaxEvents) {
    to->transitions.insert(to->transitions.end(), transitions.begin(), transitions.end());
    events_ += transitions.size();
    return;
  }
  for (const core::Transition& transition : transitions) {
    const bool drop = SaysNothingOfAKey(transition.type);
    dropped_ += drop;
    if (drop) continue;
    to->transitions.push_back(transition);
    ++events_;
  }
}

bool Journal::Await(Position position, std::function<void()> done) {
  if (position == kNowhere) return false;
  MutexLock lock(mutex_);
  if (position <= tried_) return false;
  answers_.emplace(position, std::move(done));
  return true;
}

bool Journal::RunOnce() {
  std::vector<Queued> batch;
  {
    MutexLock lock(mutex_);
    batch = Take();
  }
  if (batch.empty()) return false;
  Write(std::move(batch));
  return true;
}

std::vector<Journal::Queued> Journal::Take() {
  std::vector<Queued> batch;
  size_t records = 0;
  while (!queue_.empty() && (batch.empty() || records + queue_.front().records.size() <= kMaxBatch)) {
    records += queue_.front().records.size();
    events_ -= queue_.front().transitions.size();
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  if (queue_.empty()) urgent_ = false;
  return batch;
}

void Journal::Write(std::vector<Queued> batch) {
  const Position last = batch.back().position;
  const bool commit = std::any_of(batch.begin(), batch.end(),
                                  [](const Queued& entry) { return entry.retry || !entry.records.empty(); });
  if (commit) {
    MutexLock lock(store_mutex_);
    for (Queued& entry : batch) {
      for (Record& record : entry.records) pending_.Add(std::move(record));
    }
    const absl::Status committed = Commit();
    MutexLock state_lock(mutex_);
    last_status_ = committed;
  }
  Release(last);  // before observers, which may be slow
  Tell(batch);
  batch.front().transitions.clear();
  {
    MutexLock lock(mutex_);
    spare_.swap(batch.front().transitions);
    told_ = last;
  }
  moved_.notify_all();
}

absl::Status Journal::Commit() {
  const bool kept = stats().records > 0;
  absl::Status status = pending_.records().empty() ? absl::OkStatus() : Own();
  uint64_t writes = 0;
  size_t written = 0;
  const auto begin = std::chrono::steady_clock::now();
  while (status.ok() && written < pending_.records().size()) {
    const absl::Span<const Record> chunk = pending_.records().subspan(written, kMaxBatch);
    status = store_->Commit(chunk, fence_);
    if (!status.ok()) break;
    ++writes;
    written += chunk.size();
  }
  const auto busy = absl::FromChrono(std::chrono::steady_clock::now() - begin);
  if (written > 0) pending_.RemoveFirst(written);
  if (!status.ok() && !kept) Log(LogLevel::kError, "store_failed", {{"error", ToStd(status.message())}});
  if (status.ok() && kept) Log(LogLevel::kInfo, "store_recovered", {{"records", written}});
  MutexLock lock(mutex_);
  stats_.busy += busy;
  stats_.writes += writes;
  stats_.failures += !status.ok();
  stats_.records = pending_.records().size();
  return status;
}

absl::Status Journal::Own() {
  if (fence_ != 0) return absl::OkStatus();
  const absl::StatusOr<Fence> fence = store_->Acquire();
  if (!fence.ok()) return fence.status();
  fence_ = *fence;
  return absl::OkStatus();
}

void Journal::Release(Position up_to) {
  std::vector<std::function<void()>> answers;
  {
    MutexLock lock(mutex_);
    tried_ = up_to;
    const auto end = answers_.upper_bound(up_to);
    for (auto answer = answers_.begin(); answer != end; ++answer) answers.push_back(std::move(answer->second));
    answers_.erase(answers_.begin(), end);
  }
  for (const auto& answer : answers) answer();
}

void Journal::Tell(const std::vector<Queued>& batch) {
  uint64_t dropped = 0;
  {
    MutexLock lock(mutex_);
    dropped = std::exchange(dropped_, 0);
    stats_.dropped_events += dropped;
  }
  if (dropped > 0) Log(LogLevel::kWarn, "events_dropped", {{"count", dropped}});
  for (const Queued& entry : batch) {
    for (Observer* observer : observers_) {
      if (entry.added) observer->OnPoolAdded(entry.pool);
      if (!entry.transitions.empty()) observer->OnTransitions(entry.pool, entry.transitions);
      if (entry.removed) observer->OnPoolRemoved(entry.pool);
    }
  }
}

void Journal::Run() {
  while (true) {
    std::vector<Queued> batch = Next();
    if (batch.empty()) return;
    Write(std::move(batch));
  }
}

// Empty when the journal stops and all is written.
std::vector<Journal::Queued> Journal::Next() {
  MutexLock lock(mutex_);
  while (queue_.empty() && !stopping_) {
    writer_ = Writer::kIdle;
    wake_.wait(mutex_);
  }
  const auto end = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(kLinger);
  while (!urgent_ && !stopping_ && std::chrono::steady_clock::now() < end) {
    writer_ = Writer::kLingering;
    wake_.wait_until(mutex_, end);
  }
  writer_ = Writer::kBusy;
  return Take();
}

absl::Status Journal::Settle(absl::Duration at_most) {
  if (!thread_.joinable()) {
    while (RunOnce()) {
    }
  }
  const auto end = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(std::min(at_most, absl::Hours(1)));
  MutexLock lock(mutex_);
  const Position last = last_;
  urgent_ |= told_ < last;
  if (writer_ != Writer::kBusy) {
    writer_ = Writer::kBusy;
    wake_.notify_one();
  }
  while (told_ < last && std::chrono::steady_clock::now() < end) moved_.wait_until(mutex_, end);
  return stats_.records > 0 ? last_status_ : absl::OkStatus();
}

absl::StatusOr<Journal::Remembered> Journal::Load() {
  Settle().IgnoreError();  // what the store refuses is laid over
  MutexLock lock(store_mutex_);
  if (const absl::Status owned = Own(); !owned.ok()) return owned;
  absl::StatusOr<KeyStore::Loaded> loaded = store_->Load();
  if (!loaded.ok()) return loaded.status();
  for (const std::string& name : loaded->damaged) {
    Log(LogLevel::kError, "record_damaged", {{"record", name}, {"effect", "what it says is forgotten"}});
  }
  Remembered remembered{std::move(loaded->keys), std::move(loaded->changes)};
  for (const Record& record : pending_.records()) {
    if (const auto* key = std::get_if<KeyRecord>(&record)) {
      remembered.keys.push_back(*key);
    } else {
      remembered.changes.push_back(std::get<ChangeRecord>(record));
    }
  }
  return remembered;
}

Journal::Stats Journal::stats() const {
  MutexLock lock(mutex_);
  return stats_;
}

}  // namespace ccr

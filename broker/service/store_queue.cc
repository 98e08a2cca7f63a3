#include "broker/service/store_queue.h"

#include <chrono>

#include "broker/base/absl_text.h"
#include "broker/base/log.h"

namespace ccr {

absl::Status StoreQueue::Append(absl::Span<const KeyRecord> records) {
  MutexLock lock(mutex_);
  if (kept_.empty()) {
    if (records.empty()) return absl::OkStatus();
    const absl::Status written = Write(records);
    if (!written.ok()) Log(LogLevel::kError, "store_failed", {{"error", ToStd(written.message())}});
    if (!written.ok()) Keep(records);
    return written;
  }
  Keep(records);
  std::vector<KeyRecord> all;
  all.reserve(kept_.size());
  for (const auto& [key, state] : kept_) all.push_back({key.first, key.second, state});
  const absl::Status written = Write(all);
  if (!written.ok()) return written;
  kept_.clear();
  Log(LogLevel::kInfo, "store_recovered", {{"records", all.size()}});
  return written;
}

absl::Status StoreQueue::Write(absl::Span<const KeyRecord> records) {
  const auto begin = std::chrono::steady_clock::now();
  const absl::Status written = store_->Append(records);
  stats_.busy += absl::FromChrono(std::chrono::steady_clock::now() - begin);
  ++(written.ok() ? stats_.writes : stats_.failures);
  return written;
}

void StoreQueue::Keep(absl::Span<const KeyRecord> records) {
  for (const KeyRecord& record : records) kept_[{record.pool, record.fingerprint}] = record.state;
}

StoreQueue::Stats StoreQueue::stats() const {
  MutexLock lock(mutex_);
  Stats stats = stats_;
  stats.records = kept_.size();
  return stats;
}

}  // namespace ccr

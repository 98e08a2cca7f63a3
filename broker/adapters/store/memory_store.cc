#include "broker/adapters/store/memory_store.h"

namespace ccr {

absl::StatusOr<std::vector<KeyRecord>> MemoryStore::Load() {
  MutexLock lock(mutex_);
  std::vector<KeyRecord> records;
  records.reserve(states_.size());
  for (const auto& [key, state] : states_) records.push_back({key.first, key.second, state});
  return records;
}

absl::Status MemoryStore::Append(absl::Span<const KeyRecord> records) {
  MutexLock lock(mutex_);
  for (const KeyRecord& record : records) states_[{record.pool, record.fingerprint}] = record.state;
  return absl::OkStatus();
}

}  // namespace ccr

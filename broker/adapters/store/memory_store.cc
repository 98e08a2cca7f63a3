#include "broker/adapters/store/memory_store.h"

namespace ccr {

absl::StatusOr<Fence> MemoryStore::Acquire() {
  MutexLock lock(mutex_);
  return ++fence_;
}

absl::StatusOr<KeyStore::Loaded> MemoryStore::Load() {
  MutexLock lock(mutex_);
  Loaded loaded;
  loaded.keys.reserve(records_.size());
  for (const auto& [key, record] : records_) loaded.keys.push_back(record);
  return loaded;
}

absl::Status MemoryStore::Commit(absl::Span<const Record> batch, Fence fence) {
  MutexLock lock(mutex_);
  if (fence < fence_) return absl::FailedPreconditionError("another broker has taken over this state");
  for (const Record& record : batch) {
    const auto& key = std::get<KeyRecord>(record);
    records_.insert_or_assign({key.pool, key.fingerprint}, key);
  }
  return absl::OkStatus();
}

}  // namespace ccr

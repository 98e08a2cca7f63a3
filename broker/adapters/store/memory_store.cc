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
  for (const auto& [name, record] : changes_) loaded.changes.push_back(record);
  return loaded;
}

absl::Status MemoryStore::Commit(absl::Span<const Record> batch, Fence fence) {
  MutexLock lock(mutex_);
  if (fence < fence_) return absl::FailedPreconditionError("another broker has taken over this state");
  for (const Record& record : batch) {
    if (const auto* key = std::get_if<KeyRecord>(&record)) {
      records_.insert_or_assign({key->pool, key->fingerprint}, *key);
      continue;
    }
    const auto& change = std::get<ChangeRecord>(record);
    std::tuple name{change.pool, change.kind, change.id};
    if (change.content.empty()) {
      changes_.erase(name);
    } else {
      changes_.insert_or_assign(std::move(name), change);
    }
  }
  return absl::OkStatus();
}

}  // namespace ccr

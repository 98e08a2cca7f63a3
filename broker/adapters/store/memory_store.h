// A key store for tests, and for brokers whose state may be lost with their process.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "broker/base/mutex.h"
#include "broker/ports/key_store.h"

namespace ccr {

// Promises durability over services, not over the end of the process. Fails for those who are fenced off, never else.
class MemoryStore final : public KeyStore {
 public:
  absl::StatusOr<Fence> Acquire() override;
  absl::StatusOr<Loaded> Load() override;
  absl::Status Commit(absl::Span<const Record> batch, Fence fence) override;

 private:
  Mutex mutex_;
  Fence fence_ CCR_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<std::pair<std::string, std::string>, KeyRecord> records_ CCR_GUARDED_BY(mutex_);
  std::map<std::tuple<std::string, std::string, std::string>, ChangeRecord> changes_ CCR_GUARDED_BY(mutex_);
};

}  // namespace ccr

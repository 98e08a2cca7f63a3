// All pools of one configuration.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "broker/service/managed_pool.h"

namespace ccr {

// Immutable, so anybody may read it without a lock; a reload makes another one. The pools in it are shared with it.
class PoolDirectory {
 public:
  explicit PoolDirectory(std::vector<std::shared_ptr<ManagedPool>> pools);

  ManagedPool* Find(std::string_view name) const;  // without case; null when unknown
  ManagedPool* Find(uint32_t number) const;        // null when unknown
  const std::vector<std::shared_ptr<ManagedPool>>& pools() const { return pools_; }

 private:
  struct NoCaseHash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming)
    size_t operator()(std::string_view name) const;
  };
  struct NoCaseEqual {
    using is_transparent = void;  // NOLINT(readability-identifier-naming)
    bool operator()(std::string_view a, std::string_view b) const;
  };

  std::vector<std::shared_ptr<ManagedPool>> pools_;  // in configuration order
  std::vector<ManagedPool*> by_number_;
  absl::flat_hash_map<std::string, ManagedPool*, NoCaseHash, NoCaseEqual> by_name_;
};

}  // namespace ccr

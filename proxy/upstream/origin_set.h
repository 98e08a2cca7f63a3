// Origins ("host[:port]") that several event loops know something about.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "broker/base/absl_text.h"
#include "broker/base/mutex.h"

namespace ccr::proxy {

// Forgets all of them when there are too many. Thread-safe; asking costs no lock while it is empty.
class OriginSet {
 public:
  void Insert(const std::string& origin) {
    MutexLock lock(mutex_);
    if (origins_.size() >= kMaxOrigins) origins_.clear();
    origins_.insert(origin);
    empty_ = false;
  }

  bool Has(std::string_view origin) const {
    if (empty_) return false;
    MutexLock lock(mutex_);
    return origins_.contains(ToAbsl(origin));
  }

 private:
  static constexpr size_t kMaxOrigins = 1024;

  std::atomic<bool> empty_{true};
  mutable Mutex mutex_;
  absl::flat_hash_set<std::string> origins_ CCR_GUARDED_BY(mutex_);
};

}  // namespace ccr::proxy

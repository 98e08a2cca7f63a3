// Which lease streams there are.
#pragma once

#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "broker/base/mutex.h"
#include "broker/core/types.h"

namespace ccr {

// Clients name their session by a token that stays the same over reconnects; every stream of it gets a new owner
// number. Thread-safe.
class StreamRegistry {
 public:
  struct Opened {
    core::OwnerId owner = core::kNoOwner;
    core::OwnerId previous = core::kNoOwner;  // the token's earlier stream, when its end has not been noticed yet
  };
  Opened Open(std::string_view token);
  void Close(core::OwnerId owner);
  uint32_t open() const;  // connected streams

 private:
  mutable Mutex mutex_;
  absl::flat_hash_map<std::string, core::OwnerId> owners_ CCR_GUARDED_BY(mutex_);  // the latest of each token
  core::OwnerId next_owner_ CCR_GUARDED_BY(mutex_) = 1;
  uint32_t open_ CCR_GUARDED_BY(mutex_) = 0;
};

}  // namespace ccr

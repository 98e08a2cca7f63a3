// Which call of a turn a result is for.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"

namespace ccr::proxy {

// Numbers of calls by a key that several may share, such as an id or a name. Not thread-safe.
class CallIndex {
 public:
  static constexpr size_t kNone = ~size_t{0};

  void Add(std::string_view key, size_t call);
  // The first call that was added under the key and is open; kNone when there is none. What was not open once is not
  // looked at again, so all calls of Find cost as much as those of Add.
  size_t Find(std::string_view key, absl::FunctionRef<bool(size_t call)> open);
  void Clear() { queues_.clear(); }

 private:
  struct Queue {
    std::vector<size_t> calls;
    size_t next = 0;  // those before it are not open
  };

  absl::flat_hash_map<std::string, Queue> queues_;
};

}  // namespace ccr::proxy

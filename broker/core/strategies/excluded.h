// Membership in the short list of keys that a pick must leave out.
#pragma once

#include <algorithm>

#include "absl/types/span.h"
#include "broker/core/types.h"

namespace ccr::core {

// O(excluded). The list is short (keys that failed one request), so a scan beats any index.
inline bool IsExcluded(KeyIndex key, absl::Span<const KeyIndex> excluded) {
  return std::find(excluded.begin(), excluded.end(), key) != excluded.end();
}

}  // namespace ccr::core

// The models that a pool's requests ask for, by number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace ccr::core {

// A model within its pool: dense, from 1 on.
using ModelId = uint32_t;
// Of requests that name none, and of those beyond the names that are kept: what is of such a model alone is taken for all
// models of the key.
inline constexpr ModelId kAnyModel = 0;

// Names come from clients, so no more than kMaxModels are kept, for good. O(1); allocates for a new name only. Not
// thread-safe.
class ModelTable {
 public:
  static constexpr size_t kMaxModels = 255;

  ModelId Of(std::string_view name);               // gives a new name its number
  const std::string& NameOf(ModelId model) const;  // empty for kAnyModel
  ModelId size() const { return static_cast<ModelId>(names_.size()); }

 private:
  std::vector<std::string> names_{std::string()};
  absl::flat_hash_map<std::string, ModelId> ids_;
};

}  // namespace ccr::core

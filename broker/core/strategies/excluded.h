// The keys that a pick must leave out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "broker/core/types.h"

namespace ccr::core {

// A set of keys as bits; only Reserve allocates. Not thread-safe.
class KeySet {
 public:
  // Makes room for keys with index < capacity.
  void Reserve(KeyIndex capacity) {
    if (words_.size() * kBits < capacity) words_.resize(capacity / kBits + 1, 0);
  }
  bool Contains(KeyIndex key) const { return (words_[key / kBits] >> (key % kBits) & 1) != 0; }
  void Set(KeyIndex key, bool member) {
    const uint64_t bit = uint64_t{1} << (key % kBits);
    words_[key / kBits] = member ? words_[key / kBits] | bit : words_[key / kBits] & ~bit;
  }

 private:
  static constexpr KeyIndex kBits = 64;
  std::vector<uint64_t> words_;
};

// A view: `few` keys that one request has tried, and those that `many` holds, if any. What it points to must outlive it.
class Excluded {
 public:
  Excluded(absl::Span<const KeyIndex> few = {}, const KeySet* many = nullptr) : few_(few), many_(many) {}
  template <typename Keys, typename = decltype(absl::Span<const KeyIndex>(std::declval<const Keys&>()))>
  Excluded(const Keys& few) : few_(few) {}

  // O(few): the list is short, so a scan beats any index.
  bool Has(KeyIndex key) const {
    return (many_ != nullptr && many_->Contains(key)) || std::find(few_.begin(), few_.end(), key) != few_.end();
  }
  absl::Span<const KeyIndex> few() const { return few_; }
  bool has_many() const { return many_ != nullptr; }

 private:
  absl::Span<const KeyIndex> few_;
  const KeySet* many_ = nullptr;
};

}  // namespace ccr::core

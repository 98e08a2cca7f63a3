// A set of keys that a random draw can index.
#pragma once

#include <utility>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/random/distributions.h"
#include "absl/types/span.h"
#include "broker/core/strategies/excluded.h"
#include "broker/core/types.h"

namespace ccr::core {

// The members lie in one array without gaps, in no particular order. Every method is O(1) except where noted, and none
// allocates but Reserve.
class DenseSet {
 public:
  // Makes room for keys with index < capacity.
  void Reserve(KeyIndex capacity) {
    if (capacity <= position_.size()) return;
    members_.reserve(capacity);
    position_.resize(capacity, kNoKey);
  }

  KeyIndex size() const { return static_cast<KeyIndex>(members_.size()); }
  bool Contains(KeyIndex key) const { return position_[key] != kNoKey; }
  KeyIndex operator[](KeyIndex i) const { return members_[i]; }  // precondition: i < size()

  void Insert(KeyIndex key) {  // precondition: not a member
    position_[key] = size();
    members_.push_back(key);
  }
  void Erase(KeyIndex key) {  // precondition: member
    Swap(position_[key], size() - 1);
    members_.pop_back();
    position_[key] = kNoKey;
  }

  // Reorders so that the members not in `excluded` come first, and returns how many these are. O(excluded).
  KeyIndex Partition(absl::Span<const KeyIndex> excluded) {
    KeyIndex wanted = size();
    for (const KeyIndex key : excluded) {
      if (Contains(key) && position_[key] < wanted) Swap(position_[key], --wanted);
    }
    return wanted;
  }

  // A member that is not in `excluded`, each as likely, or kNoKey. O(few) while not nearly all are excluded, else O(size).
  KeyIndex Draw(const Excluded& excluded, absl::BitGenRef random) {
    constexpr int kTries = 16;
    KeyIndex wanted = Partition(excluded.few());
    for (int tries = excluded.has_many() ? kTries : 1; wanted > 0 && tries > 0; --tries) {
      const KeyIndex key = members_[absl::Uniform<KeyIndex>(random, 0, wanted)];
      if (!excluded.Has(key)) return key;
    }
    for (KeyIndex i = 0; i < wanted;) {
      if (excluded.Has(members_[i])) {
        Swap(i, --wanted);
      } else {
        ++i;
      }
    }
    return wanted == 0 ? kNoKey : members_[absl::Uniform<KeyIndex>(random, 0, wanted)];
  }

 private:
  void Swap(KeyIndex a, KeyIndex b) {
    std::swap(members_[a], members_[b]);
    position_[members_[a]] = a;
    position_[members_[b]] = b;
  }

  // position_[members_[i]] == i; kNoKey for keys that are not members.
  std::vector<KeyIndex> members_;
  std::vector<KeyIndex> position_;
};

}  // namespace ccr::core

// Whether a provider limits keys, or each model of a key.
#pragma once

#include <algorithm>

namespace ccr::core {

// Learned from what becomes of a key's other models after a 429 that does not say: they go on, or are refused as well.
// Where nobody says when the key is back, that is tried; where somebody does, the whole key rests until it is sure that
// models have limits of their own. Of a key whose answers tell what is left, by that (Pacer::scope). Not thread-safe.
class LimitScope {
 public:
  // Of a 429 without a word of its scope; `told`: it says when the key is back.
  bool is_model(bool told) const { return told ? votes_ >= kSure : votes_ > -kSure; }

  // It is sure that they share the key's.
  bool is_key() const { return votes_ <= -kSure; }

  // A lease of another model, granted after the 429 was known and while its model rested.
  void OnOtherServed() { votes_ = std::min(votes_ + 1, kMost); }
  void OnOtherRefused() { votes_ = std::max(votes_ - 1, -kMost); }

 private:
  static constexpr int kSure = 3;
  static constexpr int kMost = 6;

  int votes_ = 0;
};

}  // namespace ccr::core

// Whether a provider limits keys, or each model of a key.
#pragma once

#include <algorithm>

namespace ccr::core {

// Learned from what becomes of a key's other models after a 429 that does not say: they go on, or are refused as well.
// Where nobody says when the key is back, that is tried; where somebody does, the whole key rests until it is sure that
// models have limits of their own. What was found out may change: where the key rests whole and nobody says when it is
// back, one 429 in kAgain is tried as the model's again. Of a key whose answers tell what is left, by that (Pacer::scope). Not thread-safe.
class LimitScope {
 public:
  // Of a 429 without a word of its scope; `told`: it says when the key is back.
  bool is_model(bool told) const { return told ? votes_ >= kSure : votes_ > -kSure || whole_ >= kAgain; }
  // A 429 was taken for that.
  void OnTaken(bool of_model) { whole_ = of_model ? 0 : whole_ + 1; }

  // It is sure that they share the key's.
  bool is_key() const { return votes_ <= -kSure; }

  // A lease of another model, granted after the 429 was known and while its model rested.
  void OnOtherServed() { votes_ = std::min(votes_ + 1, kMost); }
  void OnOtherRefused() { votes_ = std::max(votes_ - 1, -kMostOfKey); }

 private:
  static constexpr int kSure = 3;
  static constexpr int kMost = 6, kMostOfKey = 4;
  static constexpr int kAgain = 30;

  int votes_ = 0;
  int whole_ = 0;  // 429s in a row that were taken for the key's
};

}  // namespace ccr::core

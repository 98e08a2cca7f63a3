#include "broker/core/strategies/fill_first.h"

namespace ccr::core {

void FillFirst::Reserve(KeyIndex capacity) {
  if (capacity > position_.size()) position_.resize(capacity);
  eligible_.Reserve(capacity);
}

void FillFirst::UpdateKey(KeyIndex key, const KeyTraits& traits) {
  position_[key] = traits.position;
  if (eligible_.Contains(key)) eligible_.Update(key, traits.position);
}

KeyIndex FillFirst::Pick(const Excluded& excluded, absl::Time /*now*/, absl::BitGenRef /*random*/) {
  return eligible_.BestExcept(excluded);
}

}  // namespace ccr::core

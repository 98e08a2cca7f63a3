#include "broker/core/strategies/least_used.h"

#include <algorithm>

namespace ccr::core {

void LeastUsed::Reserve(KeyIndex capacity) {
  if (capacity > usage_.size()) usage_.resize(capacity);
  eligible_.Reserve(capacity);
}

void LeastUsed::Insert(KeyIndex key) {
  if (!eligible_.empty()) floor_ = eligible_.BestRank().uses;
  usage_[key].uses = std::max(usage_[key].uses, floor_);
  eligible_.Insert(key, usage_[key]);
}

KeyIndex LeastUsed::Pick(const Excluded& excluded, absl::Time /*now*/, absl::BitGenRef /*random*/) {
  return eligible_.BestExcept(excluded);
}

void LeastUsed::OnLeased(KeyIndex key, absl::Time /*now*/) {
  if (!eligible_.empty()) floor_ = eligible_.BestRank().uses;
  usage_[key] = {usage_[key].uses + 1, ++grants_};
  if (eligible_.Contains(key)) eligible_.Update(key, usage_[key]);
}

void LeastUsed::OnPreferred(KeyIndex key, absl::Time now) {
  if (!eligible_.empty()) floor_ = eligible_.BestRank().uses;
  if (usage_[key].uses <= floor_) return OnLeased(key, now);
  usage_[key].last_use = ++grants_;
  if (eligible_.Contains(key)) eligible_.Update(key, usage_[key]);
}

}  // namespace ccr::core

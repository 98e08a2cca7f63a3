#include "broker/core/strategies/weighted.h"

#include <algorithm>

namespace ccr::core {
namespace {

constexpr uint64_t kMillion = 1'000'000;
constexpr int kFractionBits = 20;

// The time between two turns of a key of one millionth. At the largest weight more than 2^20 are left, so that no
// fraction f of the time between two turns is below 1.
constexpr uint64_t kUnit = kMillion << 40;

// f * unit / weight; f is the fractional part of (key + 1) times the golden ratio, never 0.
absl::uint128 FirstWait(KeyIndex key, uint64_t weight) {
  constexpr uint32_t kGoldenRatio = 0x9E3779B9;
  const uint32_t f = ((key + 1) * kGoldenRatio >> (32 - kFractionBits)) | 1;
  return absl::uint128(kUnit / weight) * f >> kFractionBits;
}

}  // namespace

void Weighted::Reserve(KeyIndex capacity) {
  if (capacity > turns_.size()) turns_.resize(capacity);
  eligible_.Reserve(capacity);
}

void Weighted::AddKey(KeyIndex key, const KeyTraits& traits) {
  turns_[key] = {.weight = Millionths(traits.weight)};
}

void Weighted::UpdateKey(KeyIndex key, const KeyTraits& traits) {
  Turn& turn = turns_[key];
  const uint64_t weight = Millionths(traits.weight);
  if (weight == turn.weight) return;
  if (turn.deadline > now_) turn.deadline = now_ + (turn.deadline - now_) * turn.weight / weight;
  turn.weight = weight;
  turn.carry = 0;
  if (eligible_.Contains(key)) eligible_.Update(key, turn.deadline);
}

void Weighted::Insert(KeyIndex key) {
  Turn& turn = turns_[key];
  turn.deadline = std::max(turn.deadline, now_ + FirstWait(key, turn.weight));
  eligible_.Insert(key, turn.deadline);
}

KeyIndex Weighted::Pick(const Excluded& excluded, absl::Time /*now*/, absl::BitGenRef /*random*/) {
  return eligible_.BestExcept(excluded);
}

void Weighted::OnLeased(KeyIndex key, absl::Time /*now*/) {
  if (!eligible_.empty()) now_ = eligible_.BestRank();
  Turn& turn = turns_[key];
  turn.deadline += kUnit / turn.weight;
  turn.carry += kUnit % turn.weight;
  if (turn.carry >= turn.weight) {
    turn.carry -= turn.weight;
    ++turn.deadline;
  }
  if (eligible_.Contains(key)) eligible_.Update(key, turn.deadline);
}

void Weighted::OnPreferred(KeyIndex key, absl::Time now) {
  if (!eligible_.empty()) now_ = eligible_.BestRank();
  const Turn& turn = turns_[key];
  if (turn.deadline < now_ + kUnit / turn.weight) OnLeased(key, now);
}

}  // namespace ccr::core

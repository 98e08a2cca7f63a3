#include "broker/core/strategies/random.h"

#include "absl/random/distributions.h"

namespace ccr::core {

KeyIndex Random::Pick(absl::Span<const KeyIndex> excluded, absl::Time /*now*/, absl::BitGenRef random) {
  const KeyIndex candidates = eligible_.Partition(excluded);
  return candidates == 0 ? kNoKey : eligible_[absl::Uniform<KeyIndex>(random, 0, candidates)];
}

}  // namespace ccr::core

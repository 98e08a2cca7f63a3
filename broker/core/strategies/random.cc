#include "broker/core/strategies/random.h"

namespace ccr::core {

KeyIndex Random::Pick(const Excluded& excluded, absl::Time /*now*/, absl::BitGenRef random) {
  return eligible_.Draw(excluded, random);
}

}  // namespace ccr::core

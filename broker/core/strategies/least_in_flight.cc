#include "broker/core/strategies/least_in_flight.h"

#include <cassert>

namespace ccr::core {

void LeastInFlight::Reserve(KeyIndex capacity) {
  if (capacity > load_.size()) load_.resize(capacity);
  eligible_.Reserve(capacity);
}

KeyIndex LeastInFlight::Pick(const Excluded& excluded, absl::Time /*now*/, absl::BitGenRef /*random*/) {
  return eligible_.BestExcept(excluded);
}

void LeastInFlight::OnLeased(KeyIndex key, absl::Time /*now*/) {
  Set(key, {load_[key].in_flight + 1, ++grants_});
}

void LeastInFlight::OnEnded(KeyIndex key, absl::Duration /*latency*/, absl::Time /*now*/) {
  assert(load_[key].in_flight > 0);
  Set(key, {load_[key].in_flight - 1, load_[key].last_grant});
}

void LeastInFlight::Set(KeyIndex key, const Load& load) {
  load_[key] = load;
  if (eligible_.Contains(key)) eligible_.Update(key, load);
}

}  // namespace ccr::core

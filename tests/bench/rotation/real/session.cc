#include "tests/bench/rotation/real/session.h"

#include <chrono>

namespace ccr::rotation {
namespace {

constexpr absl::Duration kNewsTravel = absl::Milliseconds(100);  // from the provider to the broker, on a busy machine

absl::Time SteadyNow() {
  return absl::UnixEpoch() + absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace

Session::Session(const Scenario& scenario)
    : scenario_(scenario), recorder_(scenario, kNewsTravel), unfinished_(scenario.requests.size()) {}

void Session::Finish(size_t request, Fate fate, int status) {
  --unfinished_;
  recorder_.Finish(request, fate, status);
}

void Session::Start() {
  clock_at_start_ = SteadyNow();
}

absl::Time Session::Now() const {
  return clock_at_start_ ? scenario_.start + (SteadyNow() - *clock_at_start_) : scenario_.start;
}

std::string Session::Credential(const KeyModel& key) {
  return "test-key-" + key.name;
}

std::optional<size_t> Session::KeyOf(const std::string& credential) const {
  for (size_t i = 0; i < scenario_.fleet.keys.size(); ++i) {
    if (credential == "Bearer " + Credential(scenario_.fleet.keys[i])) return i;
  }
  return std::nullopt;
}

}  // namespace ccr::rotation

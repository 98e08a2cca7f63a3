// Virtual time: what is to happen, in order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "absl/time/time.h"

namespace ccr::rotation {

// Runs what was set for a moment at that moment; what was set first, first. Not thread-safe.
class Timeline {
 public:
  using Ticket = std::pair<absl::Time, uint64_t>;

  explicit Timeline(absl::Time start) : now_(start) {}

  absl::Time now() const { return now_; }
  Ticket At(absl::Time when, std::function<void()> what) {
    const Ticket ticket{std::max(when, now_), ++number_};
    events_.emplace(ticket, std::move(what));
    return ticket;
  }
  void Cancel(const Ticket& ticket) { events_.erase(ticket); }
  bool Step() {
    if (events_.empty()) return false;
    auto event = events_.extract(events_.begin());
    now_ = event.key().first;
    event.mapped()();
    return true;
  }

 private:
  absl::Time now_;
  uint64_t number_ = 0;
  std::map<Ticket, std::function<void()>> events_;
};

}  // namespace ccr::rotation

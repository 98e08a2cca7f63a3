// How something that rested comes back.
#pragma once

#include <cstdint>

namespace ccr::core {

// Admits one lease until the first success, then twice as many with each, until that bounds nothing any more. Counted
// are undecided leases: granted since the return, and neither begun nor ended nor over their time for a verdict.
// Not thread-safe.
class Ramp {
 public:
  // Leases with higher numbers than `sequence` are granted after the return.
  void Start(uint64_t sequence, uint32_t limit = 1) {
    since_ = sequence;
    limit_ = limit;
    undecided_ = 0;
  }
  bool climbs() const { return limit_ > 0; }
  // The next lease is the first after the return. It needs no other leave: who sent the key to rest said when it is back.
  bool first() const { return limit_ == 1 && undecided_ == 0; }
  bool full() const { return climbs() && undecided_ >= limit_; }

  // A grant; true when it is counted, and OnDecided must follow once.
  bool OnGranted() {
    if (climbs()) ++undecided_;
    return climbs();
  }
  void OnDecided(uint64_t sequence) {
    if (climbs() && sequence > since_ && undecided_ > 0) --undecided_;
  }
  void OnSuccess(uint64_t sequence) {
    if (!climbs() || sequence <= since_) return;
    limit_ *= 2;
    if (limit_ >= kOver) limit_ = 0;
  }

 private:
  static constexpr uint32_t kOver = 64;

  uint64_t since_ = 0;
  uint32_t limit_ = 0;  // 0 = none
  uint32_t undecided_ = 0;
};

}  // namespace ccr::core

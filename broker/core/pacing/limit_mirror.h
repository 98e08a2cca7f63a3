// A limit that a provider's answers tell.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/time/time.h"
#include "broker/core/pacing/rate_window.h"
#include "broker/core/types.h"

namespace ccr::core {

// One limit as answers tell it: `limit`, `remaining`, `reset`.
//
// Three ways of keeping a limit are told apart by which of them foretells the next answers:
//   bucket    it fills at a steady rate; `reset` is the time until it is full (GCRA, ITU-T I.371; OpenAI, Anthropic)
//   window    nothing comes back before the instant `reset`, then everything (X-RateLimit-*)
//   sliding   a use comes back a minute after it was made; `reset` is a minute whatever was used
// An answer tells of the uses that reached the provider before its own, so the later ones are taken off; who answers
// first does not matter, as answers of earlier leases than the last one heeded are ignored. A refusal where
// there was to be room (others use the key, estimates of tokens, rates that are not exact) makes a reserve, which is
// given up slowly.
class LimitMirror {
 public:
  explicit LimitMirror(RateLimit::Unit unit) : unit_(unit) {}

  RateLimit::Unit unit() const { return unit_; }
  double limit() const { return limit_; }
  double rate() const;  // units a second, sustained
  bool fills() const { return kind() == Kind::kBucket; }

  // An answer to the lease `sequence`, granted at `granted`, up to which, itself included, `used` units were granted in
  // all; `later` of them after it. Not `known`: a guess, of a lease granted before there was a pacer.
  void OnAnswer(const RateLimit& said, uint64_t sequence, double used, double later, bool known, absl::Time granted,
                absl::Time now);
  void OnGranted(double units, absl::Time now);
  // The lease `sequence` used so much less than thought.
  void GiveBack(uint64_t sequence, double units) { level_ += sequence > heard_ ? units : 0; }
  // The provider had no room where there was to be some for `units`: others use the key, or a rate is not exact.
  void OnSurprise(double units);
  void OnRefused(absl::Time back, absl::Time now);
  // A grant that took of the reserve was served.
  void OnServedWithout(double units) { reserve_ = std::max(0.0, reserve_ - kGivenUp * units); }

  // When `units` fit, `limit` of them at the most. Not `sparing`: the reserve is room as well.
  absl::Time RoomAt(double units, absl::Time now, bool sparing = true) const;
  double Level(absl::Time now) const;

 private:
  enum class Kind { kBucket, kWindow, kSliding };

  static constexpr double kGivenUp = 0.2;

  struct Sample {
    double remaining = 0, used = 0;
    absl::Time at, reset_at;
    absl::Duration reset;
  };

  Kind kind() const;
  void Vote(const Sample& before, const Sample& after);
  void LearnRate(const Sample& sample, double latency);

  RateLimit::Unit unit_;
  double limit_ = 0;
  double level_ = 0;  // at at_
  absl::Time at_ = absl::InfinitePast();
  absl::Time reset_at_ = absl::InfiniteFuture();
  double rate_ = 0;     // of a bucket; 0 = not known
  double reserve_ = 0;  // of a bucket: units left in it, for surprises
  uint64_t heard_ = 0;  // the lease of the last answer that was heeded
  float bucket_ = 1, window_ = 0, sliding_ = 0;
  std::optional<Sample> anchor_;
  std::unique_ptr<RateWindow> minute_;  // grants, of a sliding limit
  double foreign_ = 0;                  // used until reset_at_, not by these
};

}  // namespace ccr::core

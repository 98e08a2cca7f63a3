// Watches a policy from outside while it serves a scenario.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "tests/bench/rotation/provider.h"
#include "tests/bench/rotation/run.h"
#include "tests/bench/rotation/scenario.h"

namespace ccr::rotation {

// Calls the provider and writes down what comes of it. Not thread-safe.
class Recorder {
 public:
  // What an answer tells is taken for known `news_travel` after its end.
  explicit Recorder(const Scenario& scenario, absl::Duration news_travel = absl::ZeroDuration());

  struct Call {
    size_t number;
    Reply reply;
  };
  Call Begin(size_t request, size_t key, absl::Time now);
  // The answer is complete, or cut, or an error is.
  void End(const Call& call, absl::Time now);
  void Cancel(const Call& call, absl::Time now);
  void Probed(size_t key, int status, absl::Time now);

  // The client's answer. `status` 200 with a cut stream is Fate::kCut.
  void Finish(size_t request, Fate fate, int status);
  void Waiting(size_t waiting, absl::Time now);
  void Rest(const RestRecord& rest) { run_.rests.push_back(rest); }
  // Whether the policy would use a key that has been out: asked for each of those when something has happened.
  void LookForReturns(absl::Time now, const std::function<bool(size_t key)>& ready);

  Provider& provider() { return provider_; }
  Run Take(std::string policy);

 private:
  struct Announced {
    absl::Time known = absl::InfiniteFuture(), until = absl::InfinitePast();
  };
  struct KeyView {
    absl::Time known_dead = absl::InfiniteFuture();
    std::vector<Announced> rests;  // for each model, the one that was announced last
    bool out = false;
    bool out_dead = false;
    std::optional<size_t> refused;  // the request for which it had no room
    absl::Time well;
  };
  void NoteFault(size_t key, size_t request, const Reply& reply, absl::Time now);

  const Scenario& scenario_;
  const absl::Duration news_travel_;
  Provider provider_;
  Run run_;
  std::vector<KeyView> keys_;
  std::vector<std::vector<size_t>> refused_by_;  // of each request: keys that answered it with 401
};

}  // namespace ccr::rotation

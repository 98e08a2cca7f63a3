#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "tests/bench/rotation/policies.h"
#include "tests/bench/rotation/recorder.h"
#include "tests/bench/rotation/timeline.h"

namespace ccr::rotation {
namespace {

constexpr absl::Duration kNap = absl::Milliseconds(5);  // where only the end of a call makes room

class Seer {
 public:
  Seer(const Scenario& scenario, absl::Duration max_wait)
      : scenario_(scenario),
        max_wait_(max_wait),
        recorder_(scenario),
        time_(scenario.start),
        waiting_(scenario.fleet.traffic.models.size()) {}

  Run Go() {
    for (size_t i = 0; i < scenario_.requests.size(); ++i) {
      time_.At(scenario_.requests[i].arrival, [this, i] {
        waiting_[scenario_.requests[i].model].push_back(i);
        Serve();
      });
    }
    while (time_.Step()) {
    }
    return recorder_.Take("seer");
  }

 private:
  struct Choice {
    std::optional<size_t> key;
    absl::Time at = absl::InfiniteFuture();  // when the next one has room
  };

  // The key with room that is the least likely to fail, then the one that has most of its limit left.
  Choice Choose(size_t request) {
    Choice choice;
    double best_risk = 0, best_left = 0;
    for (size_t key = 0; key < scenario_.fleet.keys.size(); ++key) {
      const absl::Time at = recorder_.provider().GoodAt(key, scenario_.requests[request], time_.now());
      choice.at = std::min(choice.at, at);
      if (at > time_.now()) continue;
      const KeyModel& model = scenario_.fleet.keys[key];
      const double risk = model.flaky + model.cut;
      const double left = recorder_.provider().Left(key, scenario_.requests[request].model, time_.now());
      if (choice.key && (risk > best_risk || (risk == best_risk && left <= best_left))) continue;
      choice.key = key;
      best_risk = risk;
      best_left = left;
    }
    return choice;
  }

  void Serve() {
    absl::Time next = absl::InfiniteFuture();
    for (std::deque<size_t>& line : waiting_) {
      while (!line.empty()) {
        const absl::Time until = scenario_.requests[line.front()].arrival + max_wait_;
        if (until < time_.now()) {
          recorder_.Finish(line.front(), Fate::kRefused, 429);
          line.pop_front();
          continue;
        }
        const Choice choice = Choose(line.front());
        if (!choice.key) {
          next = std::min({next, std::max(choice.at, time_.now() + kNap), until + absl::Nanoseconds(1)});
          break;
        }
        Send(line.front(), *choice.key);
        line.pop_front();
      }
    }
    if (wake_) time_.Cancel(*wake_);
    wake_.reset();
    if (next == absl::InfiniteFuture()) return;
    wake_ = time_.At(next, [this] {
      wake_.reset();
      Serve();
    });
  }

  void Send(size_t request, size_t key) {
    const auto call = std::make_shared<Recorder::Call>(recorder_.Begin(request, key, time_.now()));
    time_.At(time_.now() + call->reply.total, [this, request, call] {
      recorder_.End(*call, time_.now());
      if (call->reply.status == 200) {
        recorder_.Finish(request, call->reply.cut ? Fate::kCut : Fate::kServed, 200);
      } else {
        waiting_[scenario_.requests[request].model].push_front(request);
      }
      Serve();
    });
  }

  const Scenario& scenario_;
  const absl::Duration max_wait_;
  Recorder recorder_;
  Timeline time_;
  std::vector<std::deque<size_t>> waiting_;  // of each model, first come first served
  std::optional<Timeline::Ticket> wake_;
};

}  // namespace

Run RunSeer(const Scenario& scenario, absl::Duration max_wait) {
  return Seer(scenario, max_wait).Go();
}

}  // namespace ccr::rotation

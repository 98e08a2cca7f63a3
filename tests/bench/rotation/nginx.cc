#include <memory>
#include <vector>

#include "tests/bench/rotation/policies.h"
#include "tests/bench/rotation/recorder.h"
#include "tests/bench/rotation/timeline.h"

namespace ccr::rotation {
namespace {

constexpr absl::Duration kFailTimeout = absl::Seconds(10);

class Nginx {
 public:
  explicit Nginx(const Scenario& scenario)
      : scenario_(scenario), recorder_(scenario), time_(scenario.start), out_until_(scenario.fleet.keys.size()) {}

  Run Go() {
    for (size_t i = 0; i < scenario_.requests.size(); ++i) {
      time_.At(scenario_.requests[i].arrival, [this, i] { Try(std::make_shared<Trying>(Trying{i, {}, 0})); });
    }
    while (time_.Step()) recorder_.LookForReturns(time_.now(), [this](size_t key) { return IsUp(key); });
    return recorder_.Take("nginx");
  }

 private:
  struct Trying {
    size_t request;
    std::vector<bool> tried;
    int status;
  };
  bool IsUp(size_t key) const { return out_until_[key] <= time_.now(); }

  void Try(const std::shared_ptr<Trying>& trying) {
    const size_t keys = out_until_.size();
    trying->tried.resize(keys);
    for (size_t i = 0; i < keys; ++i) {
      const size_t key = next_;
      next_ = (next_ + 1) % keys;
      if (trying->tried[key] || !IsUp(key)) continue;
      trying->tried[key] = true;
      return Send(trying, key);
    }
    recorder_.Finish(trying->request, trying->status == 0 ? Fate::kRefused : Fate::kRelayed, trying->status);
  }

  void Send(const std::shared_ptr<Trying>& trying, size_t key) {
    const auto call = std::make_shared<Recorder::Call>(recorder_.Begin(trying->request, key, time_.now()));
    time_.At(time_.now() + call->reply.total, [this, trying, key, call] {
      recorder_.End(*call, time_.now());
      const int status = call->reply.status;
      trying->status = status == 0 ? 502 : status;
      if (status == 200) return recorder_.Finish(trying->request, call->reply.cut ? Fate::kCut : Fate::kServed, 200);
      if (status != 0 && status != 429 && status < 500)
        return recorder_.Finish(trying->request, Fate::kRelayed, status);
      out_until_[key] = time_.now() + kFailTimeout;
      recorder_.Rest({key, time_.now(), out_until_[key]});
      Try(trying);
    });
  }

  const Scenario& scenario_;
  Recorder recorder_;
  Timeline time_;
  std::vector<absl::Time> out_until_;
  size_t next_ = 0;
};

}  // namespace

Run RunNginx(const Scenario& scenario) {
  return Nginx(scenario).Go();
}

}  // namespace ccr::rotation

// Seeded histories in which the truth is known: which keys are dead, when the provider is down, which requests are bad.
// No good key is idle while a client fails, and none pays for what others share.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/core/pool.h"
#include "broker/core/strategies/strategy.h"
#include "gtest/gtest.h"

namespace ccr::core {
namespace {

enum class Truth { kGood, kFails, kUnauthorized, kStrange, kPoor };

class FaultHistory {
 public:
  explicit FaultHistory(uint64_t seed) : random_(seed), poison_(Below(2) == 0) {
    PoolSpec spec;
    spec.name = "demo";
    spec.strategy = std::string(StrategyNames()[Below(StrategyNames().size())]);
    spec.queue_wait = absl::Seconds(60);
    const size_t keys = 2 + Below(4);
    for (size_t i = 0; i < keys; ++i) {
      KeySpec key;
      key.name = key.fingerprint = absl::StrCat("k", i);
      spec.keys.push_back(key);
      // At most three fail upstream, as many as a request has retries.
      truths_.push_back(i == 0 || Below(2) == 0 ? Truth::kGood : static_cast<Truth>(1 + Below(4)));
    }
    if (Below(2) == 0) {
      down_from_ = now_ + absl::Seconds(40 + Below(40));
      down_until_ = down_from_ + absl::Seconds(1 + Below(20));
      host_ = Below(3) == 0;
    }
    if (Below(3) == 0) bad_model_ = "b";
    dies_at_ = now_ + absl::Seconds(Below(60));
    pool_ = std::make_unique<Pool>(spec, now_);
  }

  // What went wrong; empty: nothing did.
  std::vector<std::string> Run() {
    const absl::Time end = now_ + absl::Minutes(4);
    for (absl::Time at = now_; at < end; at += absl::Milliseconds(50 + Below(500))) Schedule(at, [this] { Begin(); });
    while (!events_.empty() && problems_.empty()) {
      const absl::Time due = pool_->NextDue();
      if (due <= events_.begin()->first) {
        now_ = std::max(now_, due);
      } else {
        auto event = events_.extract(events_.begin());
        now_ = std::max(now_, event.key());
        event.mapped()();
      }
      Poll();
      CheckKeys();
    }
    CheckEnd();
    return problems_;
  }

 private:
  enum class Kind { kOrdinary, kPoison, kBad };
  struct Request {
    Kind kind = Kind::kOrdinary;
    std::string model;
    SessionHash session = kNoSession;
    absl::Time begun;
    std::vector<KeyIndex> tried = {};
    LeaseId last = {};
    uint32_t retries = 3;
  };

  size_t Below(size_t bound) { return random_() % bound; }
  void Schedule(absl::Time at, std::function<void()> what) { events_.emplace(at, std::move(what)); }
  bool Down(absl::Time from, absl::Time until) const { return from < down_until_ && until >= down_from_; }

  void Begin() {
    Request request;
    const size_t dice = Below(20);
    request.kind = dice == 0 && poison_ ? Kind::kPoison : dice == 1 ? Kind::kBad : Kind::kOrdinary;
    request.model = Below(3) == 0 ? "b" : "a";
    request.session = request.kind == Kind::kPoison ? 99 : Below(4);
    request.begun = now_;
    Lease(request);
  }

  void Lease(const Request& request) {
    const LeaseId id{1, 1, 7, ++ids_};
    const Pool::LeaseArgs args{id, kNoOwner, request.tried, request.session, request.last, request.model};
    waiting_[id.random_low] = request;
    if (const auto result = pool_->Wait(args, absl::Seconds(60), now_, random_)) Answered(id, *result);
  }

  void Poll() {
    std::vector<Pool::Answer> answers;
    pool_->Poll(now_, random_, &answers);
    for (const Pool::Answer& answer : answers) Answered(answer.id, answer.result);
    pool_->TakeTransitions(&transitions_);
    if (std::getenv("CCR_FAULT_TRACE") != nullptr) Trace();
    std::vector<KeyIndex> probes;
    pool_->TakeProbes(10, now_, &probes);
    for (const KeyIndex key : probes) {
      Schedule(now_ + absl::Milliseconds(100), [this, key] {
        pool_->OnProbe(key, Http(truths_[key] == Truth::kUnauthorized && now_ >= dies_at_ ? 401 : 200), now_, random_);
      });
    }
  }

  void Trace() const {
    for (const Transition& t : transitions_) {
      if (t.type == Transition::Type::kLeased || t.type == Transition::Type::kQueued) continue;
      std::fprintf(stderr, "%s  type %d key %d %s until %s\n", absl::FormatTime(t.time).c_str(),
                   static_cast<int>(t.type), static_cast<int>(t.key), std::string(t.reason).c_str(),
                   absl::FormatTime(t.available_at).c_str());
    }
  }

  void Answered(const LeaseId& id, const LeaseResult& result) {
    Request request = std::move(waiting_.extract(id.random_low).mapped());
    if (!std::holds_alternative<Grant>(result)) return Failed(request, "refused");
    const KeyIndex key = std::get<Grant>(result).key;
    request.tried.push_back(key);
    request.last = id;
    const Evidence evidence = Answer(request, key);
    const absl::Duration takes = absl::Milliseconds(evidence.http_status == 200 ? 100 + Below(3000) : 20 + Below(200));
    Schedule(now_ + takes, [this, request, id, evidence] { End(request, id, evidence); });
  }

  void End(Request request, const LeaseId& id, const Evidence& evidence) {
    const Decision decision = pool_->Apply({id, evidence}, now_, random_);
    if (decision.outcome == Outcome::kSuccess) return;
    if (decision.advice == Advice::kRelay) return Failed(request, absl::StrCat("relayed ", evidence.http_status));
    if (decision.advice == Advice::kRetry && request.retries-- == 0) return Failed(request, "out of retries");
    Lease(request);
  }

  static Evidence Http(int status) {
    Evidence evidence;
    evidence.http_status = status;
    return evidence;
  }

  Evidence Answer(const Request& request, KeyIndex key) const {
    if (Down(now_, now_)) {
      Evidence evidence = Http(host_ ? 0 : 500);
      if (host_) evidence.transport_error = TransportError::kConnect;
      return evidence;
    }
    const Truth truth = now_ < dies_at_ ? Truth::kGood : truths_[key];
    if (truth == Truth::kUnauthorized) return Http(401);
    if (truth == Truth::kPoor) return Http(402);
    if (truth == Truth::kStrange) {
      Evidence evidence = Http(400);
      evidence.error_code = "strange";
      return evidence;
    }
    if (truth == Truth::kFails || request.kind == Kind::kPoison || request.model == bad_model_) return Http(500);
    return Http(request.kind == Kind::kBad ? 400 : 200);
  }

  // Ordinary requests are served, but for those that the outage hit.
  void Failed(const Request& request, const std::string& how) {
    if (request.kind != Kind::kOrdinary || request.model == bad_model_) return;
    if (Down(request.begun, now_)) return;
    // A key that worked a moment ago and says what only a request causes is believed, but not for long.
    if (how == "relayed 400" && ++believed_ <= 3) return;
    problems_.push_back(absl::StrCat(absl::FormatTime(now_), " ", pool_->spec().strategy, ": ", how, " after ",
                                     request.tried.size(), " keys and ", absl::FormatDuration(now_ - request.begun)));
  }

  void CheckKeys() {
    for (KeyIndex key = 0; key < truths_.size(); ++key) {
      if (truths_[key] != Truth::kGood && now_ >= dies_at_) continue;
      const KeySnapshot state = *pool_->Describe(key);
      // The end of the request that disabled it may give that back.
      absl::Time& since = disabled_since_.try_emplace(key, absl::InfiniteFuture()).first->second;
      since = state.state == KeyState::kDisabled ? std::min(since, now_) : absl::InfiniteFuture();
      // Three requests in a row that fail with every key may take one out for some seconds, when nothing else asked it.
      if (poison_ || !bad_model_.empty()) continue;
      if (now_ - since > absl::Seconds(5)) problems_.push_back(absl::StrCat("good key ", key, " disabled"));
      if (state.reason == "http_400" || state.reason == "rate_limited") {
        problems_.push_back(absl::StrCat("good key ", key, " rests for ", std::string(state.reason)));
      }
    }
  }

  void CheckEnd() {
    for (KeyIndex key = 0; key < truths_.size() && problems_.empty(); ++key) {
      if (truths_[key] != Truth::kUnauthorized && truths_[key] != Truth::kPoor) continue;
      const KeySnapshot state = *pool_->Describe(key);
      if (state.state == KeyState::kActive) problems_.push_back(absl::StrCat("dead key ", key, " is in use"));
    }
  }

  std::mt19937_64 random_;
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  absl::Time down_from_ = absl::InfiniteFuture(), down_until_ = absl::InfinitePast();
  absl::Time dies_at_;
  bool host_ = false;
  const bool poison_;  // some requests fail upstream with whatever key
  std::string bad_model_;
  std::vector<Truth> truths_;
  std::unique_ptr<Pool> pool_;
  std::multimap<absl::Time, std::function<void()>> events_;
  std::map<uint64_t, Request> waiting_;
  std::vector<Transition> transitions_;
  uint64_t ids_ = 0;
  int believed_ = 0;
  std::map<KeyIndex, absl::Time> disabled_since_;
  std::vector<std::string> problems_;
};

TEST(FaultHistories, NoGoodKeyIsIdleWhileAClientFails) {
  const char* const seed = std::getenv("CCR_FAULT_SEED");
  const char* const count = std::getenv("CCR_FAULT_HISTORIES");
  const uint64_t first = seed != nullptr ? std::strtoull(seed, nullptr, 10) : 1;
  const uint64_t histories = count != nullptr ? std::strtoull(count, nullptr, 10) : 50;
  for (uint64_t s = first; s < first + histories; ++s) {
    for (const std::string& problem : FaultHistory(s).Run()) ADD_FAILURE() << "CCR_FAULT_SEED=" << s << ": " << problem;
  }
}

}  // namespace
}  // namespace ccr::core

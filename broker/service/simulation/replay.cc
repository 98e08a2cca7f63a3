#include "broker/service/simulation/replay.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <queue>
#include <random>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "broker/core/pool.h"
#include "broker/service/simulation/provider_model.h"

namespace ccr::simulation {
namespace {

using core::Outcome;

// As the proxy's (proxy/core/retry_plan.h).
constexpr size_t kMaxAttempts = 64;
constexpr uint32_t kMaxRefusals = 5;
constexpr absl::Duration kBackoffBase = absl::Milliseconds(200);
constexpr absl::Duration kBackoffCap = absl::Seconds(5);
// As the broker's.
constexpr uint32_t kProbesAtOnce = 2;
constexpr absl::Duration kProbing = absl::Milliseconds(100);

constexpr uint64_t kStepsPerRequest = 200;  // no run takes more
constexpr uint64_t kStepsPerLook = 1024;    // at `stop`

using Keys = absl::InlinedVector<core::KeyIndex, 4>;

void AddOnce(core::KeyIndex key, Keys* keys) {
  if (std::find(keys->begin(), keys->end(), key) == keys->end()) keys->push_back(key);
}

class ReplayRun {
 public:
  ReplayRun(const History& history, const PoolFacts& facts, const Rules& rules)
      : history_(history),
        rules_(rules),
        now_(history.from),
        pool_(rules.spec, history.from),
        model_(&history, &facts, PastByIndex()),
        clients_(history.requests.size()) {}

  Counts Go(const std::function<bool()>& stop) {
    const uint64_t most = kStepsPerRequest * (history_.requests.size() + 1);
    while (arrived_ < clients_.size() || open_ > 0) {
      if (++steps_ > most || (steps_ % kStepsPerLook == 0 && stop())) break;
      if (!Step()) break;
    }
    return Counted();
  }

 private:
  enum class What : uint8_t { kBegin, kEnd, kAcquire, kLeave, kProbed };
  struct Event {
    absl::Time at;
    uint64_t order;
    What what;
    uint32_t stamp;  // of the client; another one: it has gone on
    size_t client;   // of kProbed the key

    bool operator>(const Event& other) const { return at != other.at ? at > other.at : order > other.order; }
  };
  // One request on its way.
  struct Client {
    Keys exclude, key_faults;
    core::LeaseId lease = {}, last_lease = {};  // held or waited for; reported last
    std::unique_ptr<Reply> reply;               // under way
    core::KeyIndex key = core::kNoKey;
    absl::Time waits_since = absl::InfiniteFuture();
    absl::Duration waited;
    uint32_t attempts = 0, retries = 0, refusals = 0, overloads = 0;
    uint32_t stamp = 0;
    bool waiting = false, over = false;
  };

  std::vector<core::KeyIndex> PastByIndex() const {
    std::vector<core::KeyIndex> past(rules_.past.size(), core::kNoKey);
    for (size_t i = 0; i < past.size(); ++i) past[pool_.Find(rules_.spec.keys[i].fingerprint)] = rules_.past[i];
    return past;
  }

  // What is due next. False when nothing is.
  bool Step() {
    const absl::Time arrival =
        arrived_ < clients_.size() ? history_.requests[arrived_].arrival : absl::InfiniteFuture();
    const absl::Time event = events_.empty() ? absl::InfiniteFuture() : events_.top().at;
    const absl::Time next = std::min({arrival, event, due_});
    if (next == absl::InfiniteFuture()) return false;
    now_ = std::max(now_, next);
    if (next == due_ && due_ < arrival && due_ < event) {
      Settle();
    } else if (event <= arrival) {
      const Event what = events_.top();
      events_.pop();
      Do(what);
    } else {
      Arrive(arrived_++);
    }
    return true;
  }

  void At(absl::Time at, What what, size_t client) {
    events_.push({at, ++order_, what, what == What::kProbed ? 0 : clients_[client].stamp, client});
  }

  void Do(const Event& event) {
    if (event.what == What::kProbed) {
      --probing_;
      const auto key = static_cast<core::KeyIndex>(event.client);
      pool_.OnProbe(key, model_.Probe(key, now_), now_, random_);
      return Settle();
    }
    Client& client = clients_[event.client];
    if (client.over || (event.what != What::kLeave && event.stamp != client.stamp)) return;
    switch (event.what) {
      case What::kBegin:
        pool_.Progress(client.lease, {200, client.reply->evidence.first_byte, client.reply->evidence.rate_limits}, now_,
                       random_);
        if (client.reply->end) At(began_at(client) + *client.reply->end, What::kEnd, event.client);
        break;
      case What::kEnd:
        End(event.client);
        break;
      case What::kAcquire:
        Acquire(event.client, client.key_faults);
        break;
      case What::kLeave:
        Leave(event.client);
        break;
      case What::kProbed:
        break;
    }
    Settle();
  }

  absl::Time began_at(const Client& client) const { return now_ - client.reply->evidence.first_byte; }

  void Arrive(size_t number) {
    ++open_;
    const PastRequest& request = history_.requests[number];
    if (request.left) At(request.arrival + *request.left, What::kLeave, number);
    Acquire(number, {});
    Settle();
  }

  absl::Duration MaxWait(const Client& client, const PastRequest& request) const {
    const absl::Duration allowed = request.max_wait >= rules_.recorded_wait ? rules_.spec.queue_wait : request.max_wait;
    return std::max(allowed - client.waited, absl::ZeroDuration());
  }

  core::Pool::LeaseArgs Wanted(size_t number, const Keys& excluded) {
    Client& client = clients_[number];
    const PastRequest& request = history_.requests[number];
    client.lease = {1, 1, number + 1, ++leases_};
    core::Pool::LeaseArgs args;
    args.id = client.lease;
    args.excluded = excluded;
    args.session = request.session;
    args.retry_of = client.last_lease;
    args.model = history_.models[request.model];
    args.estimated_tokens = request.estimated_tokens;
    return args;
  }

  void Acquire(size_t number, const Keys& excluded) {
    Client& client = clients_[number];
    const absl::Duration wait = MaxWait(client, history_.requests[number]);
    const core::Pool::LeaseArgs args = Wanted(number, excluded);
    const auto result =
        wait > absl::ZeroDuration() ? pool_.Wait(args, wait, now_, random_) : pool_.Lease(args, now_, random_);
    if (result) return OnLease(number, *result);
    client.waiting = true;
    client.waits_since = now_;
  }

  void OnLease(size_t number, const core::LeaseResult& result) {
    const auto* const grant = std::get_if<core::Grant>(&result);
    if (grant == nullptr) return Finish(number, Ending::kError);
    Send(number, grant->key);
  }

  void Send(size_t number, core::KeyIndex key) {
    Client& client = clients_[number];
    client.key = key;
    ++client.attempts;
    client.reply = std::make_unique<Reply>(model_.Call(key, number, client.attempts, now_));
    const Reply& reply = *client.reply;
    const absl::Duration first_byte = reply.evidence.first_byte;
    const bool flows = first_byte > absl::ZeroDuration() && (!reply.end || first_byte < *reply.end);
    if (reply.evidence.http_status == 200 && flows) {
      At(now_ + first_byte, What::kBegin, number);
    } else if (reply.end) {
      At(now_ + *reply.end, What::kEnd, number);
    }
  }

  core::Decision Report(Client& client, const core::Evidence& evidence) {
    model_.Ended(client.key, client.lease.random_high - 1, *client.reply);
    client.last_lease = client.lease;
    client.reply.reset();
    ++client.stamp;
    core::Report report{client.lease, evidence, client.refusals, client.overloads};
    const core::Decision decision = pool_.Apply(report, now_, random_);
    counter_.Call(client.key, decision.outcome);
    return decision;
  }

  void End(size_t number) {
    Client& client = clients_[number];
    const core::Evidence evidence = client.reply->evidence;
    const core::Decision decision = Report(client, evidence);
    if (decision.outcome == Outcome::kSuccess) return Finish(number, Ending::kServed);
    if (evidence.incomplete) return Finish(number, Ending::kError);  // its client has seen a part
    AddOnce(client.key, &client.exclude);
    if (decision.outcome == Outcome::kAuth || decision.outcome == Outcome::kPermission) ++client.refusals;
    if (decision.outcome == Outcome::kOverloaded) ++client.overloads;
    if (decision.advice == core::Advice::kRetry) ++client.retries;
    if (decision.advice == core::Advice::kRotate && decision.outcome != Outcome::kRateLimited) {
      AddOnce(client.key, &client.key_faults);
    }
    if (decision.advice == core::Advice::kRelay || !MayGoOn(client, decision.advice)) {
      const bool own = decision.outcome == Outcome::kCallerFault;
      return Finish(number, own ? Ending::kOwnFault : Ending::kError);
    }
    TryAgain(number, decision, evidence);
  }

  bool MayGoOn(const Client& client, core::Advice advice) const {
    if (!rules_.retry || client.attempts >= kMaxAttempts) return false;
    if (advice == core::Advice::kRotate) return client.refusals < kMaxRefusals;
    return client.retries <= rules_.max_retries;
  }

  // Another key at once; else after a fault of the provider the same ones later; else the first one that is back.
  void TryAgain(size_t number, const core::Decision& decision, const core::Evidence& evidence) {
    Client& client = clients_[number];
    core::LeaseResult next = pool_.Lease(Wanted(number, client.exclude), now_, random_);
    const bool same = decision.advice == core::Advice::kRetry;
    if (same && std::holds_alternative<core::Refusal>(next)) {
      Keys others = client.exclude;
      others.erase(std::find(others.begin(), others.end(), client.key));
      next = pool_.Lease(Wanted(number, others), now_, random_);
    }
    if (const auto* const grant = std::get_if<core::Grant>(&next)) return Send(number, grant->key);
    if (same) {
      const absl::Duration full = std::min(kBackoffCap, kBackoffBase * std::exp2(std::min(client.retries - 1, 10U)));
      const absl::Duration wait = std::max(full * 0.75, evidence.retry_after.value_or(absl::ZeroDuration()));
      if (wait > kBackoffCap) return Finish(number, Ending::kError);
      return At(now_ + wait, What::kAcquire, number);
    }
    if (MaxWait(client, history_.requests[number]) > absl::ZeroDuration()) return Acquire(number, client.key_faults);
    Finish(number, Ending::kError);
  }

  void Leave(size_t number) {
    Client& client = clients_[number];
    if (client.waiting) {
      pool_.CancelWait(client.lease, now_);
      client.waited += now_ - client.waits_since;
    }
    if (client.reply) {
      core::Evidence evidence;
      evidence.client_cancelled = true;
      Report(client, evidence);
    }
    Finish(number, Ending::kLeft);
  }

  void Finish(size_t number, Ending ending) {
    Client& client = clients_[number];
    client.over = true;
    client.waiting = false;
    --open_;
    counter_.Finish(ending, client.waited);
  }

  // Waiters that may go, probes that are due, and when to look again.
  void Settle() {
    do {
      answers_.clear();
      pool_.Poll(now_, random_, &answers_);
      for (const core::Pool::Answer& answer : answers_) {
        const size_t number = answer.id.random_high - 1;
        Client& client = clients_[number];
        client.waiting = false;
        client.waited += now_ - client.waits_since;
        OnLease(number, answer.result);
      }
    } while (!answers_.empty());
    Probe();
    pool_.TakeTransitions(&transitions_);
    due_ = probing_ < kProbesAtOnce ? std::min(pool_.NextDue(), pool_.NextProbe()) : pool_.NextDue();
  }

  void Probe() {
    if (probing_ >= kProbesAtOnce || pool_.NextProbe() > now_) return;
    probe_keys_.clear();
    pool_.TakeProbes(kProbesAtOnce - probing_, now_, &probe_keys_);
    for (const core::KeyIndex key : probe_keys_) {
      ++probing_;
      At(now_ + kProbing, What::kProbed, key);
    }
  }

  Counts Counted() {
    Counts run = counter_.Take();
    std::vector<KeyCount> in_order;
    for (const core::KeySpec& key : rules_.spec.keys) {
      const core::KeyIndex index = pool_.Find(key.fingerprint);
      in_order.push_back(index < run.keys.size() ? run.keys[index] : KeyCount());
    }
    run.keys = std::move(in_order);
    return run;
  }

  const History& history_;
  const Rules& rules_;
  absl::Time now_;
  core::Pool pool_;
  ProviderModel model_;
  std::mt19937_64 random_{1};
  Counter counter_;
  std::vector<Client> clients_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  absl::Time due_ = absl::InfiniteFuture();
  std::vector<core::Pool::Answer> answers_;
  std::vector<core::KeyIndex> probe_keys_;
  std::vector<core::Transition> transitions_;
  uint64_t order_ = 0, leases_ = 0, steps_ = 0;
  size_t arrived_ = 0, open_ = 0;
  uint32_t probing_ = 0;
};

}  // namespace

Counts Replay(const History& history, const PoolFacts& facts, const Rules& rules, const std::function<bool()>& stop) {
  return ReplayRun(history, facts, rules).Go(stop);
}

}  // namespace ccr::simulation

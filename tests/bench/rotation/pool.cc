#include "broker/core/pool.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "proxy/core/evidence/evidence_builder.h"
#include "proxy/core/retry_plan.h"
#include "tests/bench/rotation/policies.h"
#include "tests/bench/rotation/recorder.h"
#include "tests/bench/rotation/timeline.h"

namespace ccr::rotation {
namespace {

constexpr size_t kProbesAtOnce = 2;  // as the broker's
constexpr absl::Duration kProbing = absl::Milliseconds(100);

}  // namespace

core::PoolSpec SpecOf(const Scenario& scenario, const PoolOptions& options) {
  core::PoolSpec spec;
  spec.name = "bench";
  spec.strategy = options.strategy;
  spec.queue_wait = options.max_wait;
  for (const KeyModel& model : scenario.fleet.keys) {
    core::KeySpec key;
    key.name = key.fingerprint = model.name;
    spec.keys.push_back(std::move(key));
  }
  return spec;
}

namespace {

core::RateLimits ToCore(const std::vector<proxy::RateLimit>& limits) {
  core::RateLimits out;
  for (const proxy::RateLimit& limit : limits) {
    if (out.size() == core::kMaxRateLimits) break;
    out.push_back({static_cast<core::RateLimit::Unit>(limit.unit), limit.limit, limit.remaining, limit.reset});
  }
  return out;
}

core::TransportError ToCore(proxy::TransportError error) {
  if (error == proxy::TransportError::kNone) return core::TransportError::kNone;
  return error == proxy::TransportError::kRefused ? core::TransportError::kRefused : core::TransportError::kRead;
}

core::Evidence ToCore(const proxy::Evidence& evidence) {
  core::Evidence out;
  out.http_status = evidence.http_status;
  out.error_type = evidence.error_type;
  out.error_code = evidence.error_code;
  out.retry_after = evidence.retry_after;
  out.transport_error = ToCore(evidence.transport_error);
  out.client_cancelled = evidence.client_cancelled;
  out.caller_fault = evidence.caller_fault;
  out.incomplete = evidence.incomplete;
  out.error_in_answer = evidence.error_in_answer;
  out.quota_window = evidence.quota_window;
  out.model_only = evidence.model_only;
  out.rate_limits = ToCore(evidence.rate_limits);
  out.input_tokens = evidence.input_tokens;
  out.output_tokens = evidence.output_tokens;
  out.first_byte = evidence.first_byte;
  out.total = evidence.total;
  out.message = evidence.message;
  return out;
}

proxy::Advice ToPlan(core::Advice advice) {
  switch (advice) {
    case core::Advice::kRotate:
      return proxy::Advice::kRotate;
    case core::Advice::kRetry:
      return proxy::Advice::kRetry;
    case core::Advice::kRelay:
      break;
  }
  return proxy::Advice::kRelay;
}

// Many clients, one pool. Every step that may let waiters go ends with Settle.
class PoolRun {
 public:
  PoolRun(const Scenario& scenario, const PoolOptions& options)
      : scenario_(scenario),
        recorder_(scenario),
        time_(scenario.start),
        random_(scenario.seed * 31 + 7),
        pool_(SpecOf(scenario, options), scenario.start),
        record_(options.record == nullptr ? &nothing_ : options.record) {
    provider_.queue_wait = options.max_wait;
    clients_.reserve(scenario.requests.size());
  }

  Run Go() {
    for (size_t i = 0; i < scenario_.requests.size(); ++i) {
      const absl::Time arrival = scenario_.requests[i].arrival;
      clients_.push_back(std::make_unique<Client>(Client{
          .number = i, .plan = proxy::RetryPlan(provider_, arrival, arrival + scenario_.fleet.traffic.patience)}));
      Client& client = *clients_.back();
      time_.At(arrival, [this, &client] { Arrive(client); });
    }
    while (open_ > 0 || arrived_ < clients_.size()) {
      if (!time_.Step()) break;
      recorder_.LookForReturns(time_.now(), [this](size_t key) {
        const auto state = pool_.Describe(static_cast<core::KeyIndex>(key));
        return state && state->available;
      });
    }
    return recorder_.Take("ccr");
  }

 private:
  // One request on its way; see Exchange of the proxy.
  struct Client {
    size_t number;
    proxy::RetryPlan plan;
    core::LeaseId last_lease = {};  // reported last
    core::LeaseId lease = {};       // held, or waited for
    size_t key = 0;
    std::optional<Recorder::Call> call;
    std::optional<Timeline::Ticket> next;  // what it waits for, besides a lease
    std::optional<Timeline::Ticket> patience;
    int kept_status = 0;  // of the answer that the client would get
    bool waiting = false;
  };

  const Request& RequestOf(const Client& client) const { return scenario_.requests[client.number]; }

  void Arrive(Client& client) {
    ++arrived_;
    ++open_;
    const absl::Time until = RequestOf(client).arrival + scenario_.fleet.traffic.patience;
    client.patience = time_.At(until, [this, &client] { GiveUp(client); });
    Acquire(client, client.plan.exclude());
    Settle();
  }

  std::vector<core::KeyIndex> Numbers(const std::vector<std::string>& names) const {
    std::vector<core::KeyIndex> keys;
    for (const std::string& name : names) keys.push_back(pool_.Find(name));
    return keys;
  }

  core::Pool::LeaseArgs Wanted(Client& client, const std::vector<core::KeyIndex>& excluded) {
    client.lease = {1, 1, ++leases_, leases_};
    const Request& request = RequestOf(client);
    core::Pool::LeaseArgs args;
    args.id = client.lease;
    args.excluded = excluded;
    args.session = request.session;
    args.retry_of = client.last_lease;
    args.model = scenario_.fleet.traffic.models[request.model];
    args.estimated_tokens = request.estimated_tokens;
    return args;
  }

  void Acquire(Client& client, const std::vector<std::string>& exclude) {
    const std::vector<core::KeyIndex> excluded = Numbers(exclude);
    const absl::Duration wait = client.plan.MaxWait(time_.now());
    const core::Pool::LeaseArgs args = Wanted(client, excluded);
    const auto result = pool_.Wait(args, wait, time_.now(), random_.engine());
    record_->OnAsked(args, wait, result, time_.now());
    if (result) return OnLease(client, *result);
    client.waiting = true;
    waiting_[client.lease] = &client;
  }

  void OnLease(Client& client, const core::LeaseResult& result) {
    if (const auto* grant = std::get_if<core::Grant>(&result)) return Send(client, grant->key);
    if (client.plan.attempts() == 0) return Finish(client, Fate::kRefused, 429);
    client.plan.OnNoLease(ReturnOf(result));
    AnswerBest(client);
  }

  void Send(Client& client, core::KeyIndex key) {
    client.key = key;
    client.call = recorder_.Begin(client.number, key, time_.now());
    const Reply& reply = client.call->reply;
    if (reply.status == 200 && reply.first_byte < reply.total) {
      client.next = time_.At(time_.now() + reply.first_byte, [this, &client] { Begin(client); });
    } else {
      client.next = time_.At(time_.now() + reply.total, [this, &client] { End(client); });
    }
  }

  proxy::Evidence Read(const Client& client) const {
    const Reply& reply = client.call->reply;
    proxy::Evidence evidence;
    if (reply.status == 0) {
      evidence.transport_error = proxy::TransportError::kRefused;
    } else {
      const std::string& model = scenario_.fleet.traffic.models[RequestOf(client).model];
      evidence = proxy::FromResponse(reply.status, reply.headers, reply.body, time_.now(), model);
    }
    evidence.first_byte = reply.first_byte;
    evidence.total = reply.total;
    if (reply.status == 200 && !reply.cut) {
      evidence.input_tokens = RequestOf(client).input_tokens;
      evidence.output_tokens = RequestOf(client).output_tokens;
    }
    if (reply.cut) {
      evidence.incomplete = true;
      evidence.transport_error = proxy::TransportError::kRead;
    }
    return evidence;
  }

  void Begin(Client& client) {
    const Reply& reply = client.call->reply;
    pool_.Progress(client.lease, {reply.status, reply.first_byte, ToCore(Read(client).rate_limits)}, time_.now(),
                   random_.engine());
    client.next = time_.At(time_.now() + reply.total - reply.first_byte, [this, &client] { End(client); });
    Settle();
  }

  void End(Client& client) {
    client.next.reset();
    recorder_.End(*client.call, time_.now());
    const proxy::Evidence evidence = Read(client);
    const Reply reply = std::exchange(client.call, std::nullopt)->reply;
    if (reply.status == 200) {
      Report(client, evidence);
      Finish(client, reply.cut ? Fate::kCut : Fate::kServed, 200);
    } else if (!proxy::MayRetry(evidence)) {
      Report(client, evidence);
      Finish(client, Fate::kRelayed, reply.status);
    } else {
      AskBroker(client, evidence, reply.status);
    }
    Settle();
  }

  core::Decision Report(Client& client, const proxy::Evidence& evidence) {
    core::Report report{client.lease, ToCore(evidence), client.plan.refusals(), client.plan.overloads()};
    client.last_lease = client.lease;
    const core::Decision decision = pool_.Apply(report, time_.now(), random_.engine());
    record_->OnEnded(report, decision, time_.now());
    return decision;
  }

  // The report of a failed attempt and the next lease in one message, then what the plan says.
  void AskBroker(Client& client, const proxy::Evidence& evidence, int status) {
    const bool wants = client.plan.WantsNext(evidence, time_.now());
    const core::Decision decision = Report(client, evidence);
    std::optional<core::LeaseResult> next;
    if (wants && decision.advice != core::Advice::kRelay) next = LeaseNext(client, decision.advice);
    const auto* grant = next ? std::get_if<core::Grant>(&*next) : nullptr;
    if (next && grant == nullptr) client.plan.OnNoLease(ReturnOf(*next));
    const proxy::NextStep step =
        client.plan.Decide({evidence, status, ToPlan(decision.advice), scenario_.fleet.keys[client.key].name,
                            core::ToString(decision.outcome), grant != nullptr},
                           time_.now(), random_.Uniform());
    if (step.keep) client.kept_status = status;
    switch (step.what) {
      case proxy::NextStep::Do::kTry:
        return Send(client, grant->key);
      case proxy::NextStep::Do::kAcquire:
        if (step.at <= time_.now()) return Acquire(client, client.plan.key_faults());
        client.next = time_.At(step.at, [this, &client] {
          client.next.reset();
          Acquire(client, client.plan.key_faults());
          Settle();
        });
        return;
      case proxy::NextStep::Do::kAnswer:
        if (grant != nullptr) GiveBack(client);
        return AnswerBest(client);
    }
  }

  void GiveBack(Client& client) {
    proxy::Evidence evidence;
    evidence.caller_fault = true;
    Report(client, evidence);
  }

  std::optional<absl::Duration> ReturnOf(const core::LeaseResult& result) const {
    const absl::Time at = std::get<core::Refusal>(result).retry_at;
    if (at == absl::InfiniteFuture()) return std::nullopt;
    return at - time_.now();
  }

  // As the broker does: with another key, and after a fault of the provider with the same one if there is no other.
  core::LeaseResult LeaseNext(Client& client, core::Advice advice) {
    std::vector<core::KeyIndex> excluded = Numbers(client.plan.exclude());
    excluded.push_back(static_cast<core::KeyIndex>(client.key));
    const core::LeaseResult other = LeaseNow(client, excluded);
    if (std::holds_alternative<core::Grant>(other) || advice != core::Advice::kRetry) return other;
    excluded.pop_back();
    return LeaseNow(client, excluded);
  }

  core::LeaseResult LeaseNow(Client& client, const std::vector<core::KeyIndex>& excluded) {
    const core::Pool::LeaseArgs args = Wanted(client, excluded);
    const core::LeaseResult result = pool_.Lease(args, time_.now(), random_.engine());
    record_->OnAsked(args, absl::ZeroDuration(), result, time_.now());
    return result;
  }

  void AnswerBest(Client& client) {
    using Kind = proxy::Ending::Kind;
    const Kind kind = client.plan.End().kind;
    const bool no_key = kind == Kind::kRateLimited || kind == Kind::kNoKey;
    Finish(client, no_key ? Fate::kRefused : Fate::kRelayed, no_key ? 429 : client.kept_status);
  }

  void GiveUp(Client& client) {
    client.patience.reset();
    if (client.waiting) {
      pool_.CancelWait(client.lease, time_.now());
      record_->OnLeft(client.lease, time_.now());
    }
    waiting_.erase(client.lease);
    if (client.call) {
      recorder_.Cancel(*client.call, time_.now());
      proxy::Evidence evidence;
      evidence.client_cancelled = true;
      Report(client, evidence);
      client.call.reset();
    }
    Finish(client, Fate::kGaveUp, 0);
    Settle();
  }

  void Finish(Client& client, Fate fate, int status) {
    if (client.next) time_.Cancel(*client.next);
    if (client.patience) time_.Cancel(*client.patience);
    client.next.reset();
    client.patience.reset();
    --open_;
    recorder_.Finish(client.number, fate, status);
  }

  // Waiters that may go, probes that are due, and when to look again.
  void Settle() {
    std::vector<core::Pool::Answer> answers;
    do {
      answers.clear();
      pool_.Poll(time_.now(), random_.engine(), &answers);
      for (const core::Pool::Answer& answer : answers) {
        const auto waiter = waiting_.find(answer.id);
        if (waiter == waiting_.end()) continue;
        record_->OnAnswered(answer.id, answer.result, time_.now());
        Client& client = *waiter->second;
        waiting_.erase(waiter);
        client.waiting = false;
        OnLease(client, answer.result);
      }
    } while (!answers.empty());
    recorder_.Waiting(waiting_.size(), time_.now());
    NoteRests();
    Probe();
    const absl::Time due = probing_ < kProbesAtOnce ? std::min(pool_.NextDue(), pool_.NextProbe()) : pool_.NextDue();
    if (due_ && due_->first == due) return;
    if (due_) time_.Cancel(*due_);
    due_.reset();
    if (due < absl::InfiniteFuture()) {
      due_ = time_.At(due, [this] {
        due_.reset();
        Settle();
      });
    }
  }

  void Probe() {
    if (probing_ >= kProbesAtOnce) return;
    std::vector<core::KeyIndex> keys;
    pool_.TakeProbes(static_cast<uint32_t>(kProbesAtOnce - probing_), time_.now(), &keys);
    for (const core::KeyIndex key : keys) {
      ++probing_;
      time_.At(time_.now() + kProbing, [this, key] {
        --probing_;
        const int status = recorder_.provider().Probe(key, time_.now());
        recorder_.Probed(key, status, time_.now());
        core::Evidence evidence;
        evidence.http_status = status;
        if (status == 0) evidence.transport_error = core::TransportError::kRefused;
        pool_.OnProbe(key, evidence, time_.now(), random_.engine());
        record_->OnProbed(key, evidence, time_.now());
        Settle();
      });
    }
  }

  void NoteRests() {
    transitions_.clear();
    pool_.TakeTransitions(&transitions_);
    for (const core::Transition& what : transitions_) {
      const bool disabled = what.type == core::Transition::Type::kDisabled;
      if (!disabled && what.type != core::Transition::Type::kCooling) continue;
      recorder_.Rest({what.key, what.time, what.available_at, disabled});
    }
  }

  const Scenario& scenario_;
  Recorder recorder_;
  Timeline time_;
  Random random_;
  proxy::Provider provider_;
  core::Pool pool_;
  simulation::Recorder nothing_{nullptr};
  simulation::Recorder* const record_;
  std::vector<std::unique_ptr<Client>> clients_;
  absl::flat_hash_map<core::LeaseId, Client*> waiting_;
  std::vector<core::Transition> transitions_;
  std::optional<Timeline::Ticket> due_;
  uint64_t leases_ = 0;
  size_t probing_ = 0;
  size_t open_ = 0, arrived_ = 0;
};

}  // namespace

Run RunPool(const Scenario& scenario, const PoolOptions& options) {
  return PoolRun(scenario, options).Go();
}

}  // namespace ccr::rotation

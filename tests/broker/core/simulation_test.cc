// Random histories of a pool, its clients, its provider and its operator, held to the invariants of DESIGN section 10.
//
// CCR_SIM_HISTORIES (10000) and CCR_SIM_SEED (1) choose how many and which; the same seed gives the same history. A
// failure prints the seed and the last steps.
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/broker/core/pool_fixture.h"
#include "tests/broker/core/simulation_model.h"

namespace ccr::core {
namespace {

constexpr int kSteps = 60;
constexpr size_t kTraceSteps = 15;

struct Fault {
  Evidence evidence;
  Outcome expected;
};

class Simulation {
 public:
  Simulation(uint64_t seed, bool tracing) : random_(seed), tracing_(tracing), spec_(RandomSpec()), model_(spec_, now_) {
    pool_ = std::make_unique<Pool>(spec_, now_);
  }

  // The violated invariant, or nothing.
  std::string Run() {
    for (int step = 0; step < kSteps && !model_.broken(); ++step) {
      PassTime();
      Act();
      Drain();
      const PoolSnapshot snapshot = pool_->Snapshot(now_);
      Drain();
      model_.Check(snapshot, now_);
      model_.Succeeds("-");
    }
    if (!model_.broken()) Recover();
    return model_.violation();
  }

  const std::deque<std::string>& trace() const { return trace_; }

 private:
  struct Waiting {
    LeaseId id;
    OwnerId owner;
    SessionHash session;
    std::vector<KeyIndex> excluded;
    absl::Time deadline;
    std::string model;
  };
  // One client's: each lease names the one that was reported before, and excludes the keys that failed.
  struct Request {
    uint64_t number;
    LeaseId last;
    std::vector<KeyIndex> tried;
    std::string model = {};
  };
  struct Ended {
    LeaseId id;
    bool reported;
    uint32_t run;
  };

  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Chance(uint64_t percent) { return Below(100) < percent; }

  PoolSpec RandomSpec() {
    static constexpr const char* kStrategies[] = {"round_robin",     "random",         "weighted",  "least_used",
                                                  "least_in_flight", "lowest_latency", "fill_first"};
    PoolSpec spec;
    spec.strategy = kStrategies[Below(std::size(kStrategies))];
    if (rpms_.empty()) {
      for (int i = 0; i < 10; ++i) rpms_.push_back(Chance(30) ? 1 + Below(5) : 0);
      for (int i = 0; i < 10; ++i) tpms_.push_back(Chance(20) ? 500 + Below(3'000) : 0);
      pool_rpm_ = Chance(20) ? 2 + Below(8) : 0;
    }
    spec.limits.rpm = pool_rpm_;
    spec.max_concurrent = Chance(20) ? 1 + Below(4) : 0;
    spec.lease_ttl = absl::Seconds(30 + Below(600));
    spec.queue_wait = Chance(50) ? absl::Seconds(Below(60)) : absl::ZeroDuration();
    spec.queue_size = 4;
    spec.trial_time = absl::Milliseconds(1 + Below(60'000));
    spec.session_affinity = Chance(85);
    spec.access = Below(2);
    const uint64_t keys = 1 + Below(8);
    const uint64_t first = Below(10);
    for (uint64_t i = 0; i < keys; ++i) {
      KeySpec key;
      const uint64_t number = (first + i) % 10;
      key.name = key.fingerprint = absl::StrCat("k", number);
      key.weight = static_cast<double>(Below(4));
      key.max_failures = 1 + static_cast<uint32_t>(Below(3));
      if (Chance(60)) key.cooldown = absl::Milliseconds(1'000 + Below(60'000));
      key.max_concurrent = Chance(40) ? 1 + static_cast<uint32_t>(Below(3)) : 0;
      key.limits.rpm = static_cast<uint32_t>(rpms_[number]);
      key.limits.tpm = tpms_[number];
      spec.keys.push_back(key);
    }
    std::shuffle(spec.keys.begin(), spec.keys.end(), random_);
    return spec;
  }

  void PassTime() {
    switch (Below(10)) {
      case 0:
      case 1:
      case 2:
      case 3:
        break;
      case 4:
      case 5:
        now_ += absl::Milliseconds(Below(1'000));
        break;
      case 6:
      case 7:
        now_ += absl::Milliseconds(Below(60'000));
        break;
      case 8:
        now_ = std::clamp(pool_->NextDue() - absl::Milliseconds(Below(2)), now_, now_ + absl::Hours(24));
        break;
      default:
        now_ += Chance(80) ? absl::Seconds(Below(900)) : absl::Minutes(Below(300));
    }
    model_.Advance(now_);
  }

  void Act() {
    const uint64_t dice = Below(100);
    if (dice < 33) return DoLease();
    if (dice < 54) return DoReport();
    if (dice < 66) return DoProgress();
    if (dice < 72) return DoLateReport();
    if (dice < 78) return DoWait();
    if (dice < 84) return DoPoll();
    if (dice < 86) return DoRenew();
    if (dice < 88) return DoRelease();
    if (dice < 90) return DoOrphan();
    if (dice < 92) return DoReassert();
    if (dice < 94) return DoProbe();
    if (dice < 96) return DoReconfigure();
    if (dice < 97) return DoRestart();
    outage_ = !outage_;
    refuses_ = outage_ && Chance(40);
    Trace(outage_ ? "outage begins" : "outage ends");
  }

  void DoLease() {
    std::vector<KeyIndex> excluded = AnyExclusions();
    const Request request = AnyRequest();
    excluded.insert(excluded.end(), request.tried.begin(), request.tried.end());
    const OwnerId owner = Below(4);
    const SessionHash session = AnySession();
    const LeaseId id = NewId();
    Pool::LeaseArgs args{id, owner, excluded, session, request.last};
    args.model = asked_model_;
    args.estimated_tokens = 1 + Below(1'000);
    Note(pool_->Lease(args, now_, random_), args, request.number);
  }

  // A new one, or one that was not served yet.
  Request AnyRequest() {
    if (requests_.empty() || Chance(50)) return {++request_numbers_, {}, {}};
    const auto it = requests_.begin() + static_cast<ptrdiff_t>(Below(requests_.size()));
    Request request = *it;
    requests_.erase(it);
    return request;
  }

  // It goes on: its lease was reported.
  void GoOn(const SimulationModel::Lease& lease, KeyIndex key) {
    if (lease.request == 0 || key == kNoKey) return;
    std::vector<KeyIndex>& tried = tried_[lease.request];
    tried.push_back(key);
    requests_.push_back({lease.request, lease.id, tried});
    if (requests_.size() > 4) requests_.pop_front();
  }

  // Few, so that they come again; a third of the requests has none.
  SessionHash AnySession() { return Chance(33) ? kNoSession : 1 + Below(4); }

  void Note(const LeaseResult& result, const Pool::LeaseArgs& args, uint64_t request = 0) {
    const std::vector<std::string> names = Names({args.excluded.begin(), args.excluded.end()});
    const std::string model(args.model);
    if (const auto* grant = std::get_if<Grant>(&result)) {
      Trace(absl::StrCat("lease ", grant->id.random_low, " of ", Name(grant->key), grant->trial ? " (trial)" : ""));
      ExpectFirst(queue_.end(), grant->key, model, "a newcomer passed the queue");
      granted_.push_back({*grant, AskedOf(args, names, request)});
      Drain();
      return;
    }
    Trace("refused");
    Drain();
    const bool others_first = std::any_of(queue_.begin(), queue_.end(), [&](const Waiting& waiting) {
      return waiting.excluded.empty() || model_.AnyPerhapsFree(Names(waiting.excluded), now_);
    });
    model_.OnRefusal(std::get<Refusal>(result), names, model, !others_first, now_);
  }

  std::vector<KeyIndex> AnyExclusions() {
    std::vector<KeyIndex> excluded;
    for (const KeySpec& key : spec_.keys) {
      if (Chance(15)) excluded.push_back(pool_->Find(key.fingerprint));
    }
    return excluded;
  }

  // Those who came before made nothing of that key.
  void ExpectFirst(std::deque<Waiting>::iterator who, KeyIndex key, const std::string& model, const char* what) {
    for (auto it = queue_.begin(); it != who; ++it) {
      const bool excluded = std::find(it->excluded.begin(), it->excluded.end(), key) != it->excluded.end();
      const bool same_line = it->model == model && it->excluded.empty();
      const bool no_room = model_.IsLaned(Name(key), it->model) || model_.CountsTokens(Name(key));
      model_.Expect(excluded || (!same_line && no_room), what);
    }
  }

  static SimulationModel::Asked AskedOf(const Pool::LeaseArgs& args, const std::vector<std::string>& excluded,
                                        uint64_t request) {
    return {args.owner,           args.session, excluded, request, Affinity::kNotAsked, std::string(args.model),
            args.estimated_tokens};
  }

  void DoWait() {
    const LeaseId id = NewId();
    const OwnerId owner = Below(4);
    const SessionHash session = AnySession();
    const absl::Duration wait = absl::Seconds(Below(40));
    const size_t waiting = pool_->Snapshot(now_).waiting;
    model_.Expect(waiting == queue_.size(), "the queue differs from the record");
    const std::vector<KeyIndex> excluded = Chance(60) ? std::vector<KeyIndex>() : AnyExclusions();
    Pool::LeaseArgs args{id, owner, excluded, session};
    args.model = asked_model_;
    args.estimated_tokens = 100;
    const auto result = pool_->Wait(args, wait, now_, random_);
    if (result.has_value()) return Note(*result, args);
    Trace("waits");
    queue_.push_back({id, owner, session, excluded, now_ + std::min(wait, spec_.queue_wait), std::string(args.model)});
    if (Chance(10)) {
      model_.Expect(pool_->CancelWait(queue_.front().id, now_), "a waiter could not leave");
      queue_.pop_front();
    }
  }

  void DoPoll() {
    std::vector<Pool::Answer> answers;
    pool_->Poll(now_, random_, &answers);
    for (const Pool::Answer& answer : answers) {
      const auto it = std::find_if(queue_.begin(), queue_.end(), [&](const Waiting& w) { return w.id == answer.id; });
      if (it == queue_.end()) return model_.Fail("an answer for one who does not wait");
      if (const auto* grant = std::get_if<Grant>(&answer.result)) {
        Trace(absl::StrCat("lease ", grant->id.random_low, " of ", Name(grant->key), " after a wait"));
        ExpectFirst(it, grant->key, it->model, "a waiter was overtaken");
        Pool::LeaseArgs args{it->id, it->owner, it->excluded, it->session};
        args.model = it->model;
        args.estimated_tokens = 100;
        granted_.push_back({*grant, AskedOf(args, Names(it->excluded), 0)});
      } else {
        const bool in_vain = std::get<Refusal>(answer.result).retry_at > it->deadline;
        model_.Expect(it->deadline <= now_ || in_vain, "a wait ended early");
      }
      queue_.erase(it);
    }
    Drain();
    for (const Waiting& waiting : queue_) {
      model_.Expect(waiting.deadline > now_, "a wait outlasts its deadline");
      model_.Expect(!model_.IsSurelyServed(Names(waiting.excluded), waiting.model, now_),
                    "a waiter waits beside a free key");
    }
  }

  void DoReport() {
    const SimulationModel::Lease* lease = AnyLease();
    if (lease != nullptr) ReportOn(*lease, RandomFault());
  }

  // Twice now and then, or with a status that is not good: that changes nothing.
  void DoProgress() {
    const SimulationModel::Lease* found = AnyLease();
    if (found == nullptr) return;
    const SimulationModel::Lease lease = *found;
    const int status = Chance(90) ? 200 + static_cast<int>(Below(100)) : static_cast<int>(Below(200)) * 3;
    const bool news = status >= 200 && status <= 299 && !lease.progressed;
    const KeyIndex key = pool_->Find(lease.fingerprint);
    const KeySnapshot before = Look(key);
    Drain();
    Trace(absl::StrCat("progress ", lease.id.random_low, " of ", lease.fingerprint, ": ", status));
    const bool ends_disable = news && model_.IsKeyTrial(lease);
    const bool closes = news && model_.IsCircuitTrial(lease);
    trial_succeeds_ = ends_disable || closes;
    if (news) model_.Serves(lease.request);
    const bool applied = pool_->Progress(lease.id, {status, absl::Milliseconds(Below(5'000))}, now_, random_);
    if (!news) model_.Expect(Same(before, Look(key)), "4: a progress that is no news changed a key");
    Drain();
    trial_succeeds_ = false;
    model_.Serves(0);
    model_.Expect(applied == news, "4: a progress was applied or not");
    if (applied) model_.OnProgress(lease.id, now_);
    if (applied) model_.Succeeds(lease.model);
    model_.Expect(!closes || model_.circuit() == CircuitState::kClosed, "6: a good answer did not close the circuit");
    model_.Expect(!ends_disable || model_.key(lease.fingerprint).state == KeyState::kActive,
                  "6: a good answer did not end the disable");
    const KeySnapshot after = Look(key);
    model_.Expect(after.successes == before.successes && after.in_flight == before.in_flight,
                  "4: a progress was counted as a report");
    model_.Expect(!applied || key == kNoKey || after.state == KeyState::kDisabled || after.consecutive_failures == 0,
                  "a good answer did not end the failures in a row");
  }

  void ReportOn(SimulationModel::Lease lease, const Fault& fault) {
    Trace(absl::StrCat("report ", lease.id.random_low, " of ", lease.fingerprint, ": ", fault.evidence.http_status, " ",
                       absl::FormatDuration(fault.evidence.retry_after.value_or(absl::ZeroDuration()))));
    const KeyIndex key = pool_->Find(lease.fingerprint);
    const KeySnapshot before = Look(key);
    Drain();
    const bool stale = model_.IsStale(lease);
    const bool refusal = fault.expected == Outcome::kAuth || fault.expected == Outcome::kPermission;
    const uint32_t active = model_.active();
    if (fault.evidence.model_only && !lease.model.empty()) {
      model_.OnModelRefused(lease);
    } else if (fault.expected == Outcome::kRateLimited &&
               (fault.evidence.retry_after || key == kNoKey || !pool_->key(key).cooldown)) {
      model_.OnPaced(lease);
    }
    const bool fails = fault.expected == Outcome::kUpstreamFailure || fault.expected == Outcome::kPermission;
    if (fails && (key == kNoKey || !pool_->key(key).cooldown)) model_.OnSpared(lease);
    const uint64_t told = fault.evidence.input_tokens + fault.evidence.output_tokens;
    const bool keeps = lease.progressed || fault.expected == Outcome::kSuccess || fault.expected == Outcome::kNeutral;
    model_.OnUsed(lease, told > 0 ? told : keeps ? lease.tokens : 0, now_);
    if (fault.expected == Outcome::kSuccess && !lease.progressed) model_.Succeeds(lease.model);
    if (refusal) model_.OnRefusal(lease, fault.expected == Outcome::kAuth);
    if (fault.expected == Outcome::kSuccess) model_.Serves(lease.request);
    const Decision decision = pool_->Apply({lease.id, fault.evidence, 0, 0}, now_, random_);
    model_.Expect(decision.disposition == Disposition::kApplied, "4: a live lease's report was not applied");
    model_.Expect(decision.outcome == fault.expected, "the evidence was taken for something else");
    const bool success = fault.expected == Outcome::kSuccess;
    const bool news = success && !lease.progressed;
    if (news) model_.OnSuccess(lease, now_);
    trial_succeeds_ = news && (model_.IsKeyTrial(lease) || model_.IsCircuitTrial(lease));
    Drain();
    trial_succeeds_ = false;
    model_.Serves(0);
    model_.Expect(!refusal || active == 0 || model_.active() > 0, "9: the refusals of a request took the pool away");
    if (decision.advice != Advice::kRelay) GoOn(lease, key);
    model_.End(lease.id, /*by_report=*/true, success);
    ended_.push_back({lease.id, true, run_});
    const KeySnapshot after = Look(key);
    model_.Expect(key == kNoKey || after.successes == before.successes + (success ? 1 : 0),
                  "4: a success was not counted once");
    model_.Expect(!success || news || Same(before, after), "4: a success was judged twice");
    if (fault.expected == Outcome::kCallerFault || fault.expected == Outcome::kNeutral) {
      model_.Expect(Same(before, after), "8: a caller's fault changed a key");
    }
    if (stale && !success && !refusal && fault.expected != Outcome::kOverloaded) {
      CheckStale(before, after, fault);
    }
  }

  void CheckStale(const KeySnapshot& before, const KeySnapshot& after, const Fault& fault) {
    const bool explicit_end = fault.evidence.retry_after.has_value();
    model_.Expect(after.consecutive_failures == before.consecutive_failures, "4: a stale report counted a failure");
    model_.Expect(explicit_end || after.state == before.state, "4: a stale report changed the key's state");
    const absl::Time limit =
        explicit_end ? std::max(before.available_at, now_ + *fault.evidence.retry_after) : before.available_at;
    model_.Expect(after.available_at <= limit, "4: a stale report moved the deadline");
  }

  void DoLateReport() {
    if (ended_.empty()) return;
    const Ended& ended = ended_[Below(ended_.size())];
    const PoolSnapshot before = pool_->Snapshot(now_);
    Drain();
    Trace(absl::StrCat("report ", ended.id.random_low, " again or late"));
    const Decision decision = pool_->Apply({ended.id, RandomFault().evidence, 0, 0}, now_, random_);
    model_.Expect(!pool_->Progress(ended.id, {200, absl::Milliseconds(1)}, now_, random_),
                  "4: a late progress was applied");
    const bool duplicate = ended.reported && ended.run == run_;
    model_.Expect(decision.disposition == (duplicate ? Disposition::kDuplicate : Disposition::kLate),
                  "4: a report was not told to be a duplicate or late");
    const PoolSnapshot after = pool_->Snapshot(now_);
    for (size_t i = 0; i < spec_.keys.size(); ++i) {
      model_.Expect(Same(before.keys[i], after.keys[i]) && before.keys[i].successes == after.keys[i].successes,
                    "4: a duplicate or late report changed a key");
    }
  }

  void DoRenew() {
    const SimulationModel::Lease* lease = AnyLease();
    if (lease == nullptr) return;
    model_.Expect(pool_->Renew(lease->id, now_), "1: a live lease could not be renewed");
    absl::Time& expires = model_.leases().at({lease->id.epoch, lease->id.random_low}).expires;
    expires = std::max(expires, now_ + spec_.lease_ttl);
  }

  void DoRelease() {
    const SimulationModel::Lease* lease = AnyLease();
    if (lease == nullptr) return;
    const LeaseId id = lease->id;
    Trace(absl::StrCat("release ", id.random_low));
    model_.Expect(pool_->Release(id, now_), "1: a live lease could not be released");
    model_.Expect(!pool_->Release(id, now_), "1: a lease was released twice");
    model_.End(id, /*by_report=*/false);
    ended_.push_back({id, false, run_});
  }

  void DoOrphan() {
    const OwnerId owner = 1 + Below(3);
    const absl::Time deadline = now_ + absl::Milliseconds(Below(5'000));
    Trace(absl::StrCat("stream ", owner, " breaks"));
    pool_->Orphan(owner, deadline, now_);
    for (auto& [number, lease] : model_.leases()) {
      if (lease.owner != owner) continue;
      lease.owner = kNoOwner;
      lease.expires = std::min(lease.expires, deadline);
    }
    std::erase_if(queue_, [&](const Waiting& waiting) { return waiting.owner == owner; });
    model_.Advance(now_);
  }

  void DoReassert() {
    if (Chance(50) && !ended_.empty()) {
      const Ended& ended = ended_[Below(ended_.size())];
      if (ended.run != run_) return;
      model_.Expect(!pool_->Reassert(ended.id, 1, spec_.keys[0].fingerprint, now_), "4: an ended lease came back");
      return;
    }
    const SimulationModel::Lease* lease = AnyLease();
    if (lease == nullptr) return;
    Trace(absl::StrCat("reassert ", lease->id.random_low));
    const OwnerId owner = 1 + Below(3);
    model_.Expect(pool_->Reassert(lease->id, owner, lease->fingerprint, now_), "1: a live lease was not found");
    model_.OnReasserted(*lease, owner, now_);
  }

  void DoProbe() {
    std::vector<KeyIndex> due;
    pool_->TakeProbes(static_cast<uint32_t>(Below(3)), now_, &due);
    Drain();
    for (const KeyIndex index : due) model_.OnProbeStarted(Name(index), now_);
    const KeySpec& key = spec_.keys[Below(spec_.keys.size())];
    const Fault fault = RandomFault();
    Trace(absl::StrCat("probe of ", key.fingerprint, ": ", fault.evidence.http_status));
    probe_succeeds_ = fault.expected == Outcome::kSuccess;
    if (fault.expected == Outcome::kAuth) model_.Refuses(key.fingerprint);
    model_.OnProbeEnded(key.fingerprint);
    pool_->OnProbe(pool_->Find(key.fingerprint), fault.evidence, now_, random_);
    Drain();
    probe_succeeds_ = false;
    model_.Refuses("");
  }

  void DoReconfigure() {
    pool_->Snapshot(now_);
    Drain();
    Trace("reconfigure");
    requests_.clear();
    tried_.clear();
    spec_ = RandomSpec();
    pool_->Reconfigure(spec_, now_);
    model_.Configure(spec_, now_);
  }

  void DoRestart() {
    const PoolSnapshot saved = pool_->Snapshot(now_);
    Drain();
    Trace("restart");
    const auto leases = model_.leases();
    now_ += absl::Milliseconds(Below(60'000));
    ++run_;
    queue_.clear();
    requests_.clear();
    tried_.clear();
    pool_ = std::make_unique<Pool>(spec_, now_);
    for (size_t i = 0; i < spec_.keys.size(); ++i) pool_->Restore(spec_.keys[i].fingerprint, saved.keys[i], now_);
    model_.Restart(now_);
    for (const auto& [number, lease] : leases) {
      const bool known = pool_->Find(lease.fingerprint) != kNoKey;
      if (Chance(20)) {
        ended_.push_back({lease.id, false, run_ - 1});
        continue;
      }
      const OwnerId owner = 1 + Below(3);
      model_.Expect(pool_->Reassert(lease.id, owner, lease.fingerprint, now_) == known, "1: a reassertion failed");
      if (known) model_.OnReasserted(lease, owner, now_);
    }
  }

  // The provider is well again and all clients have gone: every key that is not unauthorised must come back.
  void Recover() {
    outage_ = refuses_ = false;
    while (const SimulationModel::Lease* lease = AnyLease()) ReportOn(*lease, {Success(), Outcome::kSuccess});
    queue_.clear();
    for (OwnerId owner = 0; owner < 4; ++owner) pool_->Orphan(owner, now_, now_);
    now_ += absl::Hours(25);
    for (size_t i = 0; i < 2 * spec_.keys.size() + 2; ++i, now_ += absl::Hours(1)) {
      const LeaseId id = NewId();
      const LeaseResult result = pool_->Lease({id, kNoOwner, {}}, now_, random_);
      Note(result, {id, kNoOwner, {}});
      if (const SimulationModel::Lease* lease = AnyLease()) ReportOn(*lease, {Success(), Outcome::kSuccess});
      model_.Expect(std::holds_alternative<Grant>(result) || !model_.AnyWithoutAuth(), "8: the pool did not come back");
    }
    for (const KeySnapshot& key : pool_->Snapshot(now_).keys) {
      model_.Expect(key.state == KeyState::kActive || key.reason == "auth", "8: a key did not come back");
    }
  }

  Fault RandomFault() {
    Evidence connect;
    connect.transport_error = TransportError::kConnect;
    if (refuses_) return {Status(401), Outcome::kAuth};
    if (outage_)
      return Chance(80) ? Fault{Status(500), Outcome::kUpstreamFailure} : Fault{connect, Outcome::kUpstreamFailure};
    const uint64_t dice = Below(100);
    if (dice < 38) {
      Evidence good = Success();
      if (Chance(50)) good.output_tokens = 1 + Below(2'000);
      return {good, Outcome::kSuccess};
    }
    if (dice < 48) return {Status(dice % 2 == 0 ? 400 : 422), Outcome::kCallerFault};
    if (dice < 49) return {Foreign(401), Outcome::kAuth};
    if (dice < 52) return {Status(401), Outcome::kAuth};
    if (dice < 55) return {Status(403), Outcome::kPermission};
    if (dice < 58) return {Status(402), Outcome::kQuota};
    if (dice < 63) {
      Evidence limited = Status(429);
      limited.model_only = Chance(60);
      if (limited.model_only && Chance(50)) limited.retry_after = absl::Seconds(Below(100));
      return {limited, Outcome::kRateLimited};
    }
    if (dice < 72) return {Status(429, absl::Milliseconds(Below(120'000))), Outcome::kRateLimited};
    if (dice < 77) return {Status(dice % 2 == 0 ? 503 : 529), Outcome::kOverloaded};
    if (dice < 90) return {Status(dice % 2 == 0 ? 500 : 502), Outcome::kUpstreamFailure};
    if (dice < 95) return {connect, Outcome::kUpstreamFailure};
    return {Cancelled(), Outcome::kNeutral};
  }

  const SimulationModel::Lease* AnyLease() {
    auto& leases = model_.leases();
    if (leases.empty()) return nullptr;
    return &std::next(leases.begin(), static_cast<ptrdiff_t>(Below(leases.size())))->second;
  }

  // Lets the model see what has happened since the last call.
  void Drain() {
    pool_->TakeTransitions(&transitions_);
    for (const Transition& transition : transitions_) {
      if (transition.type == Transition::Type::kLeased) {
        if (granted_.empty()) return model_.Fail("1: a lease nobody got");
        auto& [grant, asked] = granted_.front();
        asked.affinity = transition.affinity;
        model_.Expect(grant.key == transition.key, "1: another key than told");
        model_.OnGrant(grant, Name(grant.key), asked, now_);
        granted_.pop_front();
        continue;
      }
      const std::string name = transition.key == kNoKey ? "" : Name(transition.key);
      if (tracing_)
        Trace(absl::StrCat("  transition ", static_cast<int>(transition.type), " ", name, " ",
                           std::string(transition.reason), " ", absl::FormatTime(transition.available_at)));
      model_.OnTransition(transition, name, trial_succeeds_, probe_succeeds_, now_);
    }
    model_.Expect(granted_.empty(), "1: a lease without a transition");
  }

  KeySnapshot Look(KeyIndex key) {
    for (const KeySnapshot& snapshot : pool_->Snapshot(now_).keys) {
      if (snapshot.key == key) return snapshot;
    }
    return {};
  }

  static bool Same(const KeySnapshot& a, const KeySnapshot& b) {
    return a.state == b.state && a.reason == b.reason && a.available_at == b.available_at &&
           a.consecutive_failures == b.consecutive_failures && a.failures == b.failures;
  }

  LeaseId NewId() { return {run_, 1, 0, ++ids_}; }
  std::vector<std::string> Names(const std::vector<KeyIndex>& keys) {
    std::vector<std::string> names;
    for (KeyIndex key : keys) names.push_back(Name(key));
    return names;
  }
  std::string Name(KeyIndex key) { return pool_->key(key).fingerprint; }
  void Trace(const std::string& step) {
    if (!tracing_) return;
    trace_.push_back(absl::StrCat(absl::FormatTime(now_, absl::UTCTimeZone()), " ", step));
    if (trace_.size() > kTraceSteps) trace_.pop_front();
  }

  std::mt19937_64 random_;
  const bool tracing_;
  const std::string asked_model_ = Chance(50) ? "" : "big";  // of all requests, so that a circuit is the whole pool's
  std::vector<uint64_t> rpms_, tpms_;
  uint64_t pool_rpm_ = 0;
  absl::Time now_ = absl::FromUnixMillis(1'700'000'000'000);
  PoolSpec spec_;
  SimulationModel model_;
  std::unique_ptr<Pool> pool_;
  std::deque<std::pair<Grant, SimulationModel::Asked>> granted_;
  std::deque<Waiting> queue_;
  std::vector<Ended> ended_;
  std::vector<Transition> transitions_;
  std::deque<std::string> trace_;
  std::deque<Request> requests_;
  std::map<uint64_t, std::vector<KeyIndex>> tried_;
  uint64_t request_numbers_ = 0;
  bool outage_ = false;
  bool refuses_ = false;  // the outage is that every key gets 401
  bool trial_succeeds_ = false;
  bool probe_succeeds_ = false;
  uint32_t run_ = 1;
  uint64_t ids_ = 0;
};

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(SimulationTest, HistoriesKeepTheInvariants) {
  const uint64_t first = FromEnvironment("CCR_SIM_SEED", 1);
  const uint64_t histories = FromEnvironment("CCR_SIM_HISTORIES", 10'000);
  for (uint64_t seed = first; seed < first + histories; ++seed) {
    const std::string violation = Simulation(seed, /*tracing=*/false).Run();
    if (violation.empty()) continue;
    Simulation replay(seed, /*tracing=*/true);
    EXPECT_EQ(replay.Run(), violation) << "the replay differs";
    std::string steps;
    for (const std::string& step : replay.trace()) absl::StrAppend(&steps, step, "\n");
    FAIL() << violation << "\nCCR_SIM_SEED=" << seed << " CCR_SIM_HISTORIES=1\n" << steps;
  }
}

}  // namespace
}  // namespace ccr::core

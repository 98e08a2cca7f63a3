// How leases end, and what their evidence does.
#include "broker/core/pool_impl.h"

namespace ccr::core {
namespace {

Advice AdviceFor(Outcome outcome, const Report& report) {
  switch (outcome) {
    case Outcome::kSuccess:
    case Outcome::kCallerFault:
    case Outcome::kNeutral:
      return Advice::kRelay;
    case Outcome::kQuota:
    case Outcome::kRateLimited:
      return Advice::kRotate;
    case Outcome::kAuth:
    case Outcome::kPermission:
      return report.earlier_permission_denials + 1 >= kMaxRefusals ? Advice::kRelay : Advice::kRotate;
    case Outcome::kOverloaded:
    case Outcome::kUpstreamFailure:
      return Advice::kRetry;
  }
  return Advice::kRelay;
}

bool IsRefusal(Outcome outcome) {
  return outcome == Outcome::kAuth || outcome == Outcome::kPermission;
}

// Whether another model may serve a request for which no key did better.
bool IsExhausted(const Verdict& verdict) {
  switch (verdict.outcome) {
    case Outcome::kSuccess:
    case Outcome::kNeutral:
      return false;
    case Outcome::kCallerFault:
      return verdict.doubt != Doubt::kNone;
    default:
      return true;
  }
}

}  // namespace

Decision Pool::Impl::Apply(const Report& report, absl::Time now, absl::BitGenRef random) {
  Advance(now);
  const Verdict verdict = Classify(report.evidence, spec_.error_rules);
  Decision decision;
  decision.outcome = verdict.outcome;
  decision.reason = verdict.reason;
  decision.advice = AdviceFor(verdict.outcome, report);
  decision.http_status = verdict.http_status;
  decision.lease = report.id;
  const std::optional<LeaseRecord> ended = leases_.Remove(report.id, /*reported=*/true);
  if (!ended) {
    const bool reported = leases_.PastOf(report.id) == LeaseTable::Past::kReported;
    decision.disposition = reported ? Disposition::kDuplicate : Disposition::kLate;
    return decision;
  }
  const LeaseRecord& lease = *ended;
  decision.key = lease.key;
  ++reported_;
  if (verdict.http_status != 0) circuit_.OnHostReached();
  const bool success = verdict.outcome == Outcome::kSuccess;
  const bool first_news = success && !lease.progressed;
  PaceEnded(lease, verdict, report.evidence);  // a new pacer counts what is in flight, the lease among it
  End(lease, first_news ? report.evidence.first_byte : absl::ZeroDuration());
  SettleTokens(lease, verdict, report.evidence);
  queue_.OnRoom();
  if (!success) sessions_.ForgetAssumed(lease.session, lease.key);
  if (IsRefusal(verdict.outcome)) {
    TellReport(lease.key, verdict, report.evidence);
    decision.advice = JudgeRefusal(lease, verdict, report, random);
  } else if (verdict.doubt != Doubt::kNone) {
    decision.advice = JudgeDoubt(lease, verdict, report, random);
  } else {
    Judge(lease, verdict, report.evidence, random);
    if (verdict.outcome == Outcome::kOverloaded && report.earlier_overloads > 0 && !MayServe(lease.model))
      decision.advice = Advice::kRelay;
    FollowInquiry(lease, verdict.outcome, decision.advice, random);
  }
  roster_.Settle(lease.key, now_);
  decision.exhausted = IsExhausted(verdict);
  return decision;
}

bool Pool::Impl::Progress(const LeaseId& id, const Beginning& beginning, absl::Time now, absl::BitGenRef random) {
  Advance(now);
  const bool good = beginning.http_status >= 200 && beginning.http_status <= 299;
  const LeaseRecord* found = leases_.Find(id);
  if (found == nullptr || found->progressed || !good) return false;
  const LeaseRecord lease = *found;
  leases_.MarkProgressed(id);
  EndTrial(lease);
  roster_.OnBegun(lease.key, beginning.first_byte, now_);
  PaceBegun(lease, beginning.rate_limits);
  TellEvent(lease.key, JudgeSuccess(lease, beginning.first_byte), Outcome::kSuccess, "trial_succeeded");
  FollowInquiry(lease, Outcome::kSuccess, Advice::kRelay, random);
  roster_.Settle(lease.key, now_);
  queue_.OnRoom();
  return true;
}

bool Pool::Impl::Renew(const LeaseId& id, absl::Time now) {
  Advance(now);
  return leases_.Extend(id, now_ + spec_.lease_ttl);
}

bool Pool::Impl::Release(const LeaseId& id, absl::Time now) {
  Advance(now);
  const std::optional<LeaseRecord> lease = leases_.Remove(id, /*reported=*/false);
  if (!lease) return false;
  EndUnreported(*lease, "released");
  return true;
}

void Pool::Impl::Orphan(OwnerId owner, absl::Time deadline, absl::Time now) {
  Advance(now);
  leases_.Orphan(owner, deadline);
  queue_.RemoveOwner(owner);
  ExpireLeases();
}

bool Pool::Impl::Reassert(const LeaseId& id, OwnerId owner, std::string_view fingerprint, absl::Time now) {
  Advance(now);
  if (leases_.Adopt(id, owner, now_ + spec_.lease_ttl)) return true;
  const KeyIndex key = roster_.Find(fingerprint);
  const bool ended = epoch_ == id.epoch || leases_.PastOf(id) != LeaseTable::Past::kUnknown;
  if (ended || key == kNoKey) return false;
  leases_.Add({id, key, 0, false, false}, owner, now_ + spec_.lease_ttl);
  ++acquired_;
  roster_.OnReasserted(key, now_);
  return true;
}

void Pool::Impl::End(const LeaseRecord& lease, absl::Duration latency) {
  if (lease.circuit_trial) circuit_.OnTrialOver(lease.sequence);
  roster_.OnEnded(lease.key, lease.key_trial, latency, now_);
  Decide(lease);
}

void Pool::Impl::EndTrial(const LeaseRecord& lease) {
  if (lease.circuit_trial) circuit_.OnTrialOver(lease.sequence);
  if (lease.key_trial) roster_.key(lease.key).OnTrialOver();
  Decide(lease);
}

void Pool::Impl::Decide(const LeaseRecord& lease) {
  if (!lease.undecided) return;
  roster_.OnDecided(lease.key, lease.model, lease.sequence, now_);
}

void Pool::Impl::EndUnreported(const LeaseRecord& lease, std::string_view reason) {
  ++expired_;
  End(lease, absl::ZeroDuration());
  PaceUnknown(lease);
  sessions_.ForgetAssumed(lease.session, lease.key);
  Tell(Transition::Type::kLeaseExpired, lease.key, reason);
  roster_.Settle(lease.key, now_);
  queue_.OnRoom();
}

void Pool::Impl::Judge(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence,
                       absl::BitGenRef random) {
  if (verdict.outcome == Outcome::kCallerFault || verdict.outcome == Outcome::kNeutral) return;
  TellReport(lease.key, verdict, evidence);
  if (verdict.outcome == Outcome::kOverloaded) {
    JudgeOverload(lease, evidence, random);
  } else {
    TellEvent(lease.key, JudgeKey(lease, verdict, evidence, random), verdict.outcome, "trial_succeeded");
  }
}

void Pool::Impl::TellReport(KeyIndex key, const Verdict& verdict, const Evidence& evidence) {
  const bool success = verdict.outcome == Outcome::kSuccess;
  Transition& report = Tell(success ? Transition::Type::kSuccess : Transition::Type::kFailure, key, verdict.reason);
  report.outcome = verdict.outcome;
  report.latency = success ? evidence.first_byte : absl::ZeroDuration();
  report.input_tokens = evidence.input_tokens;
  report.output_tokens = evidence.output_tokens;
}

Key::Event Pool::Impl::JudgeKey(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence,
                                absl::BitGenRef random) {
  Key& key = roster_.key(lease.key);
  if (verdict.outcome == Outcome::kSuccess) {
    key.CountSuccess(evidence, now_);
    return lease.progressed ? Key::Event::kNone : JudgeSuccess(lease, evidence.first_byte);
  }
  key.CountFailure(now_);
  switch (verdict.outcome) {
    case Outcome::kQuota:
    case Outcome::kRateLimited:
      return JudgeLimit(lease, verdict, evidence);
    default:
      return JudgeUpstreamFailure(lease, verdict.reason, IsOfHost(evidence.transport_error), random);
  }
}

Key::Event Pool::Impl::JudgeSuccess(const LeaseRecord& lease, absl::Duration first_byte) {
  trials_.OnServed(now_);
  last_success_ = now_;
  last_served_ = lease.key;
  if (lease.model < failing_.size()) failing_[lease.model] = {};
  if (lease.model != kAnyModel && AnotherModelRests(lease)) limit_scope_.OnOtherServed();
  if (spec_.session_affinity && roster_.present(lease.key)) sessions_.Remember(lease.session, lease.key, now_);
  if (circuit_.OnSuccess(lease.sequence, lease.model)) {
    outage_.End();
    Tell(Transition::Type::kCircuitClosed, kNoKey, "trial_succeeded");
  }
  roster_.OnSuccess(lease.key, lease.model, lease.sequence, now_);
  Key& key = roster_.key(lease.key);
  const bool failed = !key.auth_disabled();
  const Key::Event event = key.OnSuccess(TicketOf(lease), first_byte, now_);
  if (failed && event == Key::Event::kRecovered) HastenTrials(TicketOf(lease));
  return event;
}

void Pool::Impl::HastenTrials(const Ticket& ticket) {
  for (int i = 0; i < 2; ++i) {
    const KeyIndex index = roster_.NextToHasten();
    if (index == kNoKey || !roster_.key(index).HastenTrial(ticket, now_)) return;
    roster_.Settle(index, now_);
    TellEvent(index, Key::Event::kDisabled, Outcome::kNeutral, "");
    queue_.OnRoom();
  }
}

Key::Event Pool::Impl::JudgeUpstreamFailure(const LeaseRecord& lease, std::string_view reason, bool of_host,
                                            absl::BitGenRef random) {
  Key& key = roster_.key(lease.key);
  if (circuit_.IsTrial(lease.sequence, lease.model)) {
    circuit_.OnTrialFailed(lease.key, of_host ? kAnyModel : lease.model, lease.session);
    OpenCircuit(reason, std::nullopt, random);
    return Key::Event::kNone;
  }
  const Ticket ticket = TicketOf(lease);
  if (IsOfKnownOutage(lease) || key.IsStale(ticket)) return Key::Event::kNone;
  if (of_host) {
    if (circuit_.OnHostFailure()) OpenCircuit(reason, std::nullopt, random);
    return Key::Event::kNone;
  }
  Inquiry& inquiry = InquiryOf(lease);
  const bool counts_for_circuit = roster_.present(lease.key) && key.state() == KeyState::kActive;
  const bool shared = counts_for_circuit && IsShared(lease, &inquiry);
  const bool last = counts_for_circuit && roster_.active() == 1;
  const bool alone = FailsAlone(lease) && !circuit_.OthersFail(lease.key, now_);
  Key::Event event = Key::Event::kNone;
  if (lease.progressed && !last && !shared) key.CountCut();
  if (!last && !shared) {
    const absl::Duration longest_wait = trials_.LongestWait(roster_.failures_disabled(), now_);
    event = key.OnFailure(ticket, reason, Now(), random, {alone, /*spares_first=*/true, longest_wait});
  }
  const Key::Mark mark = last || shared ? Key::Mark{} : key.MarkOf(event, /*counted=*/true);
  if (!counts_for_circuit) return event;
  if (!last) {
    Suspicion& suspicion = inquiry.suspects.emplace_back();
    suspicion.key = lease.key;
    suspicion.sequence = lease.sequence;
    suspicion.outcome = Outcome::kUpstreamFailure;
    suspicion.reason = reason;
    suspicion.rest = mark;
  }
  TellEvent(lease.key, event, Outcome::kUpstreamFailure, "");
  roster_.Settle(lease.key, now_);
  const Circuit::Failure failure{lease.key, now_, reason, mark, last, inquiry.number, lease.model, lease.session};
  if (circuit_.OnFailure(failure, CountActive(lease.model), ActiveFor(lease.model)))
    OpenCircuit(reason, std::nullopt, random);
  return Key::Event::kNone;
}

bool Pool::Impl::FailsAlone(const LeaseRecord& lease) {
  if (failing_.size() <= lease.model) failing_.resize(lease.model + 1);
  FailingModel& model = failing_[lease.model];
  if (model.first == kNoKey) model.first = lease.key;
  model.several |= model.first != lease.key;
  return !model.several;
}

uint32_t Pool::Impl::CountClosed(ModelId model) const {
  uint32_t closed = 0;
  for (const Standing standing : {Standing::kReady, Standing::kSpared, Standing::kBusy}) {
    closed += roster_.lanes().CountClosed(model, standing);
  }
  return closed;
}

uint32_t Pool::Impl::CountActive(ModelId model) const {
  return roster_.active() - std::min(roster_.active(), CountClosed(model));
}

bool Pool::Impl::IsOfKnownOutage(const LeaseRecord& lease) const {
  return circuit_.IsStale(lease.sequence) &&
         (circuit_.state() == CircuitState::kClosed || circuit_.HoldsBack(lease.model));
}

void Pool::Impl::JudgeOverload(const LeaseRecord& lease, const Evidence& evidence, absl::BitGenRef random) {
  const bool trial = circuit_.IsTrial(lease.sequence, lease.model);
  if (!trial && IsOfKnownOutage(lease)) return;
  if (trial) circuit_.OnTrialFailed(lease.key, lease.model, lease.session);
  const bool opens = trial || circuit_.OnOverload(lease.key, lease.model, leases_.flowing(), CountActive(lease.model),
                                                  ActiveFor(lease.model));
  if (opens) return OpenCircuit("overloaded", evidence.retry_after, random);
  if (!roster_.present(lease.key)) return;
  Suspicion& suspicion = InquiryOf(lease).suspects.emplace_back();
  suspicion.key = lease.key;
  suspicion.sequence = lease.sequence;
  suspicion.outcome = Outcome::kOverloaded;
  suspicion.reason = "overloaded";
}

bool Pool::Impl::MayServe(ModelId model) const {
  return !circuit_.HoldsBack(model) && circuit_.LeavesUntried(CountActive(model), ActiveFor(model));
}

void Pool::Impl::OpenCircuit(std::string_view reason, std::optional<absl::Duration> retry_after,
                             absl::BitGenRef random) {
  for (const Circuit::Failure& failure : circuit_.Window(now_)) {
    const Key::Event event = roster_.key(failure.key).GiveBack(failure.mark);
    roster_.Settle(failure.key, now_);
    TellEvent(failure.key, event, Outcome::kUpstreamFailure, "circuit_opened");
  }
  if (reason == kAuthEverywhere) {
    for (const Circuit::Failure& failure : circuit_.refused()) {
      Key& key = roster_.key(failure.key);
      key.ForgetSuspicion();
      const Key::Event event = key.GiveBack(failure.mark);
      roster_.Settle(failure.key, now_);
      TellEvent(failure.key, event, Outcome::kAuth, "circuit_opened");
    }
  }
  const bool again = circuit_.state() != CircuitState::kClosed;
  circuit_.Open(reason, retry_after, Now(), random);
  if (retry_after || reason == kAuthEverywhere) {
    outage_.End();
  } else {
    again ? outage_.OnTrialFailed() : outage_.Begin(now_);
  }
  Tell(Transition::Type::kCircuitOpened, kNoKey, reason).available_at = circuit_.retry_at();
}

}  // namespace ccr::core

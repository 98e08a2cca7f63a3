// What refusals do to their keys: nothing for good until the request is over.
#include <algorithm>

#include "absl/hash/hash.h"
#include "broker/core/pacing/backoff.h"
#include "broker/core/pool_impl.h"

namespace ccr::core {
namespace {

Suspicion SuspicionOf(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence) {
  Suspicion suspicion;
  suspicion.key = lease.key;
  suspicion.sequence = lease.sequence;
  suspicion.outcome = verdict.if_key;
  suspicion.reason = verdict.key_reason;
  suspicion.foreign_path = evidence.foreign_path;
  suspicion.wait = evidence.retry_after;
  suspicion.window = evidence.quota_window;
  return suspicion;
}

}  // namespace

Inquiry& Pool::Impl::InquiryOf(const LeaseRecord& lease) {
  Inquiry* const known = inquiries_.Find(lease.inquiry);
  Inquiry& inquiry = known != nullptr ? *known : inquiries_.Open();
  inquiries_.Follow(inquiry, lease.id);
  return inquiry;
}

Advice Pool::Impl::JudgeRefusal(const LeaseRecord& lease, const Verdict& verdict, const Report& report,
                                absl::BitGenRef random) {
  Inquiry& inquiry = InquiryOf(lease);
  ++inquiry.refusals;
  if (verdict.outcome == Outcome::kAuth) roster_.key(lease.key).CountFailure(now_);
  const bool auth = verdict.outcome == Outcome::kAuth && !report.evidence.foreign_path;
  if (auth && circuit_.IsTrial(lease.sequence, lease.model) && circuit_.refuses_everybody()) {
    circuit_.OnTrialFailed(lease.key, lease.model, lease.session);
    OpenCircuit(kAuthEverywhere, std::nullopt, random);
  } else if (!IsOldRefusal(lease)) {
    Suspect(lease, verdict, report.evidence, &inquiry, random);
  }
  const bool of_request = !auth && IsOfRequest(lease, verdict, report.evidence, &inquiry);
  const uint32_t refusals = std::max(inquiry.refusals, report.earlier_permission_denials + 1);
  if (!of_request && refusals < kMaxRefusals && !IsShut(lease.model)) return Advice::kRotate;
  Acquit(inquiry, random);
  return Advice::kRelay;
}

Advice Pool::Impl::JudgeDoubt(const LeaseRecord& lease, const Verdict& verdict, const Report& report,
                              absl::BitGenRef random) {
  Inquiry& inquiry = InquiryOf(lease);
  ++inquiry.refusals;
  const Evidence& evidence = report.evidence;
  if (verdict.outcome != Outcome::kCallerFault) TellReport(lease.key, verdict, evidence);
  const bool for_model = verdict.doubt == Doubt::kModel;
  const bool for_any_model = for_model && lease.model == kAnyModel;
  if (verdict.if_key != Outcome::kCallerFault && !for_any_model && !evidence.foreign_path && !IsOldRefusal(lease)) {
    Suspicion& suspicion = inquiry.suspects.emplace_back(SuspicionOf(lease, verdict, evidence));
    if (for_model) suspicion.model = lease.model;
  }
  const bool known_to_fail = roster_.key(lease.key).IsDoubted(inquiry.number);
  const bool of_request = IsOfRequest(lease, verdict, evidence, &inquiry);
  const bool go_on = !of_request && inquiry.refusals < kMaxRefusals && !IsShut(lease.model);
  const bool wait = known_to_fail || verdict.if_key != Outcome::kPermission;
  if (go_on && (wait || AnotherIsNear(inquiry, lease.key, lease.model))) return Advice::kRotate;
  Acquit(inquiry, random);
  return Advice::kRelay;
}

bool Pool::Impl::IsOfRequest(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence,
                             Inquiry* inquiry) {
  if (verdict.doubt == Doubt::kThisRequest) return false;
  if (verdict.doubt == Doubt::kUnbooked) return ++inquiry->said_by >= 2;
  Key& key = roster_.key(lease.key);
  const uint64_t said = absl::HashOf(verdict.http_status, evidence.error_type, evidence.error_code);
  if (inquiry->said_by == 0 || inquiry->said != said) {
    inquiry->said = said;
    inquiry->said_by = 0;
    inquiry->witnesses = 0;
  }
  ++inquiry->said_by;
  if (key.WorksOtherwise(inquiry->number, kWorksOtherwise, now_)) ++inquiry->witnesses;
  key.OnDoubt(inquiry->number);
  return inquiry->said_by >= 2 && (inquiry->witnesses >= Inquiry::kEnough || now_ < ask_all_from_);
}

bool Pool::Impl::IsShared(const LeaseRecord& lease, Inquiry* inquiry) {
  Key& key = roster_.key(lease.key);
  const bool works = key.WorksOtherwise(inquiry->number, kWorksOtherwise, now_);
  key.OnDoubt(inquiry->number);
  inquiry->witnessed_failure |= works;
  const auto fails_too = [&lease](const Suspicion& other) {
    return other.outcome == Outcome::kUpstreamFailure && other.key != lease.key;
  };
  const bool several = std::any_of(inquiry->suspects.begin(), inquiry->suspects.end(), fails_too);
  if (!several || !inquiry->witnessed_failure) return false;
  for (Suspicion& suspicion : inquiry->suspects) {
    if (!fails_too(suspicion) || !suspicion.rest.counted || !roster_.present(suspicion.key)) continue;
    circuit_.Forgive(suspicion.key);
    AcquitKey(suspicion);
    suspicion.rest = {};
  }
  return true;
}

// Whoever asks in vain shall not wait for a key that rests: most such answers are the request's fault.
bool Pool::Impl::AnotherIsNear(const Inquiry& inquiry, KeyIndex last, ModelId model) {
  std::vector<KeyIndex> tried = {last};
  for (const Suspicion& suspicion : inquiry.suspects) tried.push_back(suspicion.key);
  roster_.Consider(tried, model);
  return Gate(model, 0).And(roster_.EarliestReturn(now_), now_).Guess(now_) <= now_ + Opening::kAnyTime;
}

bool Pool::Impl::IsOldRefusal(const LeaseRecord& lease) const {
  if (!roster_.present(lease.key) || lease.sequence < refusals_count_from_) return true;
  return roster_.key(lease.key).IsSettled(lease.sequence) ||
         (circuit_.refuses_everybody() && circuit_.IsStale(lease.sequence));
}

void Pool::Impl::Suspect(const LeaseRecord& lease, const Verdict& verdict, const Evidence& evidence, Inquiry* inquiry,
                         absl::BitGenRef random) {
  Key& key = roster_.key(lease.key);
  const Ticket ticket = TicketOf(lease);
  const bool auth = verdict.outcome == Outcome::kAuth;
  const bool active = key.state() == KeyState::kActive;
  const bool last = active && roster_.active() == 1;
  const bool counts = auth && active && !evidence.foreign_path && !key.IsStale(ticket);
  const Key::Event event = key.OnRefused(ticket, auth, /*rest=*/!last, Now(), random);
  roster_.Settle(lease.key, now_);
  TellEvent(lease.key, event, verdict.outcome, "");
  const Key::Mark rest = event == Key::Event::kCooling ? key.MarkOf(event, /*counted=*/false) : Key::Mark{};
  inquiry->suspects.emplace_back(SuspicionOf(lease, verdict, evidence)).rest = rest;
  if (counts) CountRefusal({lease.key, now_, kAuthEverywhere, rest, last, inquiry->number}, random);
}

void Pool::Impl::CountRefusal(const Circuit::Failure& failure, absl::BitGenRef random) {
  if (circuit_.state() != CircuitState::kClosed) return;
  const bool in_a_row = circuit_.OnRefused(failure);
  const absl::Span<const Circuit::Failure> refused = circuit_.refused();
  const auto active = std::count_if(refused.begin(), refused.end(), [this](const Circuit::Failure& other) {
    return roster_.key(other.key).state() == KeyState::kActive;
  });
  const bool none_untried = static_cast<uint32_t>(active) == roster_.active();
  const bool everywhere = refused.size() >= 2 && (none_untried || refused.size() >= kMaxRefusals);
  const bool one_request = std::all_of(refused.begin(), refused.end(), [&failure](const Circuit::Failure& other) {
    return other.request == failure.request;
  });
  if (one_request && now_ - last_success_ <= kServedLately) return;
  if (in_a_row || everywhere) OpenCircuit(kAuthEverywhere, std::nullopt, random);
}

void Pool::Impl::FollowInquiry(const LeaseRecord& lease, Outcome outcome, Advice advice, absl::BitGenRef random) {
  Inquiry* const inquiry = inquiries_.Find(lease.inquiry);
  if (inquiry == nullptr) return;
  if (outcome == Outcome::kSuccess) return Convict(*inquiry, random);
  if (advice == Advice::kRelay) return Acquit(*inquiry, random);
  inquiries_.Follow(*inquiry, lease.id);
}

void Pool::Impl::Convict(Inquiry& inquiry, absl::BitGenRef random) {
  asked_all_in_vain_ = 0;
  ask_all_from_ = absl::InfinitePast();
  for (const Suspicion& suspicion : inquiries_.Close(inquiry).suspects) {
    // What counts already, counts once.
    if (suspicion.outcome == Outcome::kUpstreamFailure && suspicion.rest.counted) continue;
    // What other models of the key did says nothing of this one.
    const bool settled = suspicion.model == kAnyModel && roster_.key(suspicion.key).IsSettled(suspicion.sequence);
    if (roster_.present(suspicion.key) && !settled) Punish(suspicion, random);
  }
}

void Pool::Impl::Punish(const Suspicion& suspicion, absl::BitGenRef random) {
  Key& key = roster_.key(suspicion.key);
  const uint32_t others = roster_.active() - (key.state() == KeyState::kActive ? 1 : 0);
  const bool failure = suspicion.outcome == Outcome::kPermission || suspicion.outcome == Outcome::kUpstreamFailure ||
                       suspicion.outcome == Outcome::kOverloaded;
  if (suspicion.foreign_path || (failure && others == 0)) return AcquitKey(suspicion);
  if (suspicion.model != kAnyModel) {
    return roster_.Hold(suspicion.key, suspicion.model, now_ + kModelRest, suspicion.reason, now_);
  }
  Key::Event event = Key::Event::kNone;
  switch (suspicion.outcome) {
    case Outcome::kAuth:
      event = key.OnAuth(Now(), random);
      break;
    case Outcome::kQuota:
      event = key.OnQuota({sequence_ + 1}, suspicion.wait, suspicion.window, suspicion.reason, Now());
      break;
    case Outcome::kRateLimited:
      event = key.OnRateLimited({sequence_ + 1}, now_ + LimitRest(key.spec(), suspicion.outcome, 0, suspicion.wait),
                                suspicion.wait.has_value(), suspicion.reason, Now());
      break;
    case Outcome::kOverloaded:
      event = key.OnOverloaded({sequence_ + 1}, suspicion.reason, Now(), random);
      break;
    default:
      event = key.OnFailure({sequence_ + 1}, suspicion.reason, Now(), random);
      break;
  }
  if (suspicion.outcome != Outcome::kAuth && suspicion.outcome != Outcome::kUpstreamFailure) key.CountFailure(now_);
  key.SettleBefore(sequence_ + 1);
  roster_.Settle(suspicion.key, now_);
  TellEvent(suspicion.key, event, suspicion.outcome, "");
}

void Pool::Impl::Acquit(Inquiry& inquiry, absl::BitGenRef random) {
  const Inquiry over = inquiries_.Close(inquiry);
  if (over.said_by > 2 && over.witnesses < Inquiry::kEnough) {
    ask_all_from_ = now_ + Exponential(kAskAllGap, asked_all_in_vain_++, kMaxAskAllGap);
  }
  for (const Suspicion& suspicion : over.suspects) {
    if (!roster_.present(suspicion.key) || suspicion.outcome == Outcome::kUpstreamFailure) continue;
    if (suspicion.outcome == Outcome::kOverloaded) continue;
    // Too many requests are too many for all keys at once, too.
    const bool limited = suspicion.outcome == Outcome::kRateLimited && over.witnesses < Inquiry::kEnough;
    limited ? Punish(suspicion, random) : AcquitKey(suspicion);
  }
}

void Pool::Impl::Acquit(uint64_t number, absl::BitGenRef random) {
  if (Inquiry* const inquiry = inquiries_.Find(number)) Acquit(*inquiry, random);
}

void Pool::Impl::AcquitKey(const Suspicion& suspicion) {
  const Key::Event event = roster_.key(suspicion.key).OnAcquitted(suspicion.rest, now_);
  roster_.Settle(suspicion.key, now_);
  TellEvent(suspicion.key, event, suspicion.outcome, "acquitted");
  if (event == Key::Event::kRecovered) queue_.OnRoom();
}

// Of an earlier access, that is of leases granted before the first step. In steps, as Adopt goes; true when all keys are
// done.
bool Pool::Impl::ForgetRefusals(Reconfiguration* change, size_t limit) {
  KeyIndex& index = change->asked_anew;
  if (index == 0) {
    refusals_count_from_ = sequence_ + 1;
    last_success_ = absl::InfinitePast();
    probes_tell_.reset();
    control_ = last_served_ = kNoKey;
    control_due_ = false;
    inquiries_.Clear();
  }
  for (; limit > 0 && index < roster_.capacity(); ++index, --limit) {
    const bool suspected = roster_.key(index).suspected();
    const Key::Event event = roster_.key(index).OnAccessChanged(now_);
    if (!roster_.present(index) || (!suspected && event == Key::Event::kNone)) continue;
    roster_.Settle(index, now_);
    TellEvent(index, event, Outcome::kNeutral, "access_changed");
  }
  if (index < roster_.capacity()) return false;
  if (circuit_.refuses_everybody()) circuit_.RetryNow(Now());
  if (circuit_.OnTime(now_)) queue_.OnRoom();
  return true;
}

}  // namespace ccr::core

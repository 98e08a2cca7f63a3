// What refusals do to their keys: nothing for good until the request is over.
#include <algorithm>

#include "broker/core/pool_impl.h"

namespace ccr::core {

Advice Pool::Impl::JudgeRefusal(const LeaseRecord& lease, const Verdict& verdict, const Report& report,
                                absl::BitGenRef random) {
  Inquiry* const known = inquiries_.Find(lease.inquiry);
  Inquiry& inquiry = known != nullptr ? *known : inquiries_.Open();
  inquiries_.Follow(inquiry, lease.id);
  ++inquiry.refusals;
  if (verdict.outcome == Outcome::kAuth) roster_.key(lease.key).CountFailure(now_);
  const bool auth = verdict.outcome == Outcome::kAuth && !report.evidence.foreign_path;
  if (auth && circuit_.IsTrial(lease.sequence) && circuit_.refuses_everybody()) {
    circuit_.Blame(lease.key);
    OpenCircuit(kAuthEverywhere, std::nullopt, random);
  } else if (!IsOldRefusal(lease)) {
    Suspect(lease, verdict, report.evidence, &inquiry, random);
  }
  const uint32_t refusals = std::max(inquiry.refusals, report.earlier_permission_denials + 1);
  if (refusals < kMaxRefusals && circuit_.state() != CircuitState::kOpen) return Advice::kRotate;
  Acquit(inquiry);
  return Advice::kRelay;
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
  inquiry->suspects.push_back(
      {lease.key, lease.sequence, verdict.outcome, verdict.reason, evidence.foreign_path, rest});
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
  if (advice == Advice::kRelay) return Acquit(*inquiry);
  inquiries_.Follow(*inquiry, lease.id);
}

void Pool::Impl::Convict(Inquiry& inquiry, absl::BitGenRef random) {
  for (const Suspicion& suspicion : inquiries_.Close(inquiry).suspects) {
    Key& key = roster_.key(suspicion.key);
    if (!roster_.present(suspicion.key) || key.IsSettled(suspicion.sequence)) continue;
    const uint32_t others = roster_.active() - (key.state() == KeyState::kActive ? 1 : 0);
    const bool auth = suspicion.outcome == Outcome::kAuth;
    if (suspicion.foreign_path || (!auth && others == 0)) {
      AcquitKey(suspicion);
      continue;
    }
    const Key::Event event =
        auth ? key.OnAuth(Now(), random) : key.OnFailure({sequence_ + 1}, suspicion.reason, Now(), random);
    if (!auth) key.CountFailure(now_);
    key.SettleBefore(sequence_ + 1);
    roster_.Settle(suspicion.key, now_);
    TellEvent(suspicion.key, event, suspicion.outcome, "");
  }
}

void Pool::Impl::Acquit(Inquiry& inquiry) {
  for (const Suspicion& suspicion : inquiries_.Close(inquiry).suspects) {
    if (roster_.present(suspicion.key)) AcquitKey(suspicion);
  }
}

void Pool::Impl::Acquit(uint64_t number) {
  if (Inquiry* const inquiry = inquiries_.Find(number)) Acquit(*inquiry);
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

// Keys that are asked for by a probe: disabled ones and suspects.
#include <algorithm>
#include <utility>

#include "broker/core/pool_impl.h"

namespace ccr::core {

void Pool::Impl::TakeProbes(uint32_t limit, absl::Time now, std::vector<KeyIndex>* keys) {
  Advance(now);
  for (; limit > 0; --limit) {
    const KeyIndex index = NextToProbe();
    if (index == kNoKey) return;
    roster_.key(index).OnProbeStarted(now_);
    roster_.Settle(index, now_);
    keys->push_back(index);
  }
}

KeyIndex Pool::Impl::NextToProbe() {
  if (std::exchange(control_due_, false) && Serves(control_)) return control_;
  if (outage_.due() <= now_) {
    outage_.OnProbeStarted();
    outage_key_ = OneForOutage();
    if (outage_key_ != kNoKey) return outage_key_;
  }
  return roster_.DueProbe(now_);
}

// The key that served last, or another one that is not out for itself.
KeyIndex Pool::Impl::OneForOutage() const {
  const auto fits = [this](KeyIndex index) {
    if (index == kNoKey || !roster_.present(index)) return false;
    const Key& key = roster_.key(index);
    return key.state() == KeyState::kActive && key.MayBeProbed();
  };
  if (fits(last_served_)) return last_served_;
  const auto found = std::find_if(roster_.order().begin(), roster_.order().end(), fits);
  return found == roster_.order().end() ? kNoKey : *found;
}

void Pool::Impl::OnOutageProbe(Outcome outcome) {
  outage_key_ = kNoKey;
  const bool failed = outcome == Outcome::kUpstreamFailure || outcome == Outcome::kOverloaded;
  if (!outage_.OnProbe(failed, now_)) return;
  circuit_.RetryAt(now_);
  if (circuit_.OnTime(now_)) queue_.OnRoom();
}

void Pool::Impl::OnProbe(KeyIndex index, const Evidence& evidence, absl::Time now, absl::BitGenRef random) {
  Advance(now);
  if (index >= roster_.capacity() || !roster_.present(index)) return;
  const Verdict verdict = Classify(evidence, spec_.error_rules);
  const Outcome outcome = verdict.outcome;
  Key& key = roster_.key(index);
  const bool suspected = key.suspected();
  const bool disabled = key.auth_disabled();
  const bool refuses_everybody = circuit_.state() != CircuitState::kClosed && circuit_.refuses_everybody();
  const bool says_nothing = SaysNothing(index, verdict);
  const bool spared = suspected && outcome == Outcome::kAuth && (refuses_everybody || says_nothing);
  const Key::Event event = key.OnProbe(spared ? Outcome::kNeutral : outcome, Now(), random);
  if (disabled && says_nothing) key.LetLeaseTry();
  if (index == control_) OnControl(outcome);
  if (index == outage_key_) OnOutageProbe(outcome);
  roster_.Settle(index, now_);
  Tell(Transition::Type::kProbed, index, "").outcome = outcome;
  TellEvent(index, event, outcome, "probe_succeeded");
  if (event == Key::Event::kRecovered || key.lease_may_try()) queue_.OnRoom();
  if (!suspected || event != Key::Event::kDisabled) return;
  Key::Mark mark = key.MarkOf(event, /*counted=*/false);
  mark.disabled = false;
  CountRefusal({index, now_, kAuthEverywhere, mark, /*last_available=*/false}, random);
}

bool Pool::Impl::SaysNothing(KeyIndex index, const Verdict& verdict) {
  if (verdict.outcome == Outcome::kCallerFault || verdict.outcome == Outcome::kPermission) return true;
  if (verdict.outcome == Outcome::kSuccess && !probes_tell_) probes_tell_ = true;
  if (verdict.outcome != Outcome::kAuth || index == control_) return false;
  if (probes_tell_) return !*probes_tell_;
  if (last_served_ == index || !Serves(last_served_)) return roster_.key(index).auth_disabled();
  if (!Serves(control_)) {
    control_ = last_served_;
    control_due_ = true;
  }
  return false;
}

bool Pool::Impl::Serves(KeyIndex index) const {
  if (index == kNoKey || !roster_.present(index)) return false;
  const Key& key = roster_.key(index);
  return key.state() == KeyState::kActive && !key.suspected() && key.WorksOtherwise(0, kWorksOtherwise, now_);
}

void Pool::Impl::OnControl(Outcome outcome) {
  const bool served = Serves(control_);
  control_ = kNoKey;
  if (outcome != Outcome::kAuth || !served) return;
  probes_tell_ = false;
  for (KeyIndex index = 0; index < roster_.capacity(); ++index) {
    if (!roster_.present(index) || !roster_.key(index).auth_disabled()) continue;
    roster_.key(index).LetLeaseTry();
    roster_.Settle(index, now_);
    TellEvent(index, Key::Event::kDisabled, Outcome::kAuth, "");
  }
  queue_.OnRoom();
}

}  // namespace ccr::core

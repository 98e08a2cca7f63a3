#include "broker/core/verdict/circuit.h"

#include <algorithm>
#include <utility>

#include "broker/core/pacing/backoff.h"
#include "broker/core/verdict/outcome.h"

namespace ccr::core {

void Circuit::Reserve(KeyIndex capacity) {
  if (latest_.size() < capacity) latest_.resize(capacity, 0);
}

bool Circuit::OnTime(absl::Time now) {
  if (state_ != CircuitState::kOpen || now < retry_at_) return false;
  state_ = CircuitState::kHalfOpen;
  return true;
}

bool Circuit::OnSuccess(uint64_t lease_sequence, ModelId model) {
  host_failures_ = 0;
  const auto tells_of = [model](ModelId of) { return of == kAnyModel || model == kAnyModel || of == model; };
  if (!HoldsBack(model)) {
    if (tells_of(overloaded_)) ForgetOverloads();
    tells_of(failing_) ? ClearWindow() : refused_.clear();
    return false;
  }
  if (!IsTrial(lease_sequence, model)) return false;
  state_ = CircuitState::kClosed;
  model_ = kAnyModel;
  trial_ = false;
  retry_at_ = absl::InfinitePast();
  openings_ = 0;
  ForgetKeys();
  return true;
}

bool Circuit::OthersFail(KeyIndex key, absl::Time now) {
  DropOld(now);
  return keys_ > (latest_[key] >= begin_ ? 1U : 0U);
}

void Circuit::Forgive(KeyIndex key) {
  for (uint64_t number = begin_; number < first_ + window_.size(); ++number) {
    Failure& failure = window_[number - first_];
    if (failure.key == key) failure.mark = {};
  }
}

bool Circuit::OfSeveralRequests() const {
  const Failure& newest = window_.back();
  if (newest.request == 0) return true;
  const auto counted = absl::MakeConstSpan(window_).subspan(begin_ - first_);
  return std::any_of(counted.begin(), counted.end(),
                     [&newest](const Failure& other) { return other.request != newest.request; });
}

void Circuit::CountOverload(KeyIndex key, ModelId model) {
  overloaded_ = overloads_ == 0 ? model : Join(overloaded_, model);
  ++overloads_;
  const bool known = std::find(overloaded_keys_.begin(), overloaded_keys_.end(), key) != overloaded_keys_.end();
  if (!known && overloaded_keys_.size() < kMaxOverloaded) overloaded_keys_.push_back(key);
}

void Circuit::ForgetOverloads() {
  overloads_ = 0;
  overloaded_keys_.clear();
}

void Circuit::OnTrialFailed(KeyIndex key, ModelId model, SessionHash session) {
  if (key != kNoKey) Blame(key);
  trial_failed_ = true;
  // It tells of its own model; whether others are well again shows by themselves.
  if (!refuses_everybody() && model != kAnyModel) model_ = model;
  repeated_ = session != kNoSession && session == opened_by_;
}

bool Circuit::refuses_everybody() const {
  return reason_ == kAuthEverywhere;
}

bool Circuit::OnRefused(const Failure& failure) {
  std::erase_if(refused_,
                [&](const Failure& other) { return other.key == failure.key || failure.time - other.time > kWindow; });
  if (refused_.size() == kMaxRefused) refused_.erase(refused_.begin());
  refused_.push_back(failure);
  if (failure.last_available) ++last_available_failures_;
  return failure.last_available && last_available_failures_ >= kInARow;
}

void Circuit::RetryNow(const Moment& now) {
  if (state_ == CircuitState::kClosed) return;
  state_ = CircuitState::kOpen;
  retry_at_ = now.time;
  opened_ = now.sequence + 1;
  openings_ = 0;
  trial_ = false;
  to_blame_.clear();
}

void Circuit::Blame(KeyIndex key) {
  std::erase(to_blame_, key);
  if (to_blame_.size() == kMaxToBlame) to_blame_.erase(to_blame_.begin());
  to_blame_.push_back(key);
}

void Circuit::Open(std::string_view reason, std::optional<absl::Duration> retry_after, const Moment& now,
                   absl::BitGenRef random) {
  const auto window = Window(now.time);
  if (!std::exchange(trial_failed_, false)) {
    const bool of_all = host_failures_ >= kInARow || reason == kAuthEverywhere;
    const ModelId because = of_all ? kAnyModel : overloads_ >= kInARow ? overloaded_ : failing_;
    model_ = state_ == CircuitState::kClosed ? because : Join(model_, because);
    openings_ = 0;
    const auto is_first = [&window](const Failure& other) { return other.session == window.front().session; };
    const bool alone = !window.empty() && std::all_of(window.begin(), window.end(), is_first);
    opened_by_ = alone ? window.front().session : kNoSession;
  }
  const uint32_t earlier = std::exchange(repeated_, false) && openings_ > 0 ? openings_ - 1 : openings_++;
  const absl::Duration backoff = Exponential(kCircuitBackoff, earlier, kMaxCircuitBackoff);
  const absl::Duration wait =
      retry_after ? Clamped(*retry_after, kMaxBackoff) : Jittered(backoff, kMaxCircuitBackoff, random);
  for (const Failure& failure : window.last(std::min(window.size(), kMaxToBlame))) Blame(failure.key);
  for (const Failure& failure : refused_) Blame(failure.key);
  for (const KeyIndex key : overloaded_keys_) Blame(key);
  state_ = CircuitState::kOpen;
  reason_ = reason;
  retry_at_ = now.time + wait;
  opened_ = now.sequence + 1;
  trial_ = false;
  ForgetOverloads();
  host_failures_ = 0;
  ClearWindow();
}

absl::Span<const Circuit::Failure> Circuit::Window(absl::Time now) {
  DropOld(now);
  return absl::MakeConstSpan(window_).subspan(begin_ - first_);
}

void Circuit::ClearWindow() {
  first_ = begin_ = first_ + window_.size();
  window_.clear();
  refused_.clear();
  keys_ = 0;
  failing_ = kAnyModel;
  look_at_ = last_available_request_ = 0;
  last_available_failures_ = 0;
}

void Circuit::ForgetKeys() {
  ClearWindow();
  ForgetOverloads();
  host_failures_ = 0;
  to_blame_.clear();
}

void Circuit::Add(const Failure& failure) {
  failing_ = begin_ == first_ + window_.size() ? failure.model : Join(failing_, failure.model);
  uint64_t& latest = latest_[failure.key];
  if (latest < begin_) ++keys_;
  latest = first_ + window_.size();
  window_.push_back(failure);
}

void Circuit::DropOld(absl::Time now) {
  for (; begin_ < first_ + window_.size(); ++begin_) {
    const Failure& oldest = window_[begin_ - first_];
    if (now - oldest.time <= kWindow) break;
    if (latest_[oldest.key] == begin_) --keys_;
  }
  if (const uint64_t dropped = begin_ - first_; 2 * dropped > window_.size()) {
    window_.erase(window_.begin(), window_.begin() + static_cast<ptrdiff_t>(dropped));
    first_ = begin_;
  }
}

}  // namespace ccr::core

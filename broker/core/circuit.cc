#include "broker/core/circuit.h"

#include <algorithm>

#include "broker/core/backoff.h"
#include "broker/core/outcome.h"

namespace ccr::core {

void Circuit::Reserve(KeyIndex capacity) {
  if (latest_.size() < capacity) latest_.resize(capacity, 0);
}

bool Circuit::OnTime(absl::Time now) {
  if (state_ != CircuitState::kOpen || now < retry_at_) return false;
  state_ = CircuitState::kHalfOpen;
  return true;
}

bool Circuit::OnSuccess(uint64_t lease_sequence) {
  if (state_ == CircuitState::kClosed) {
    ClearWindow();
    return false;
  }
  if (!IsTrial(lease_sequence)) return false;
  state_ = CircuitState::kClosed;
  trial_ = false;
  retry_at_ = absl::InfinitePast();
  openings_ = 0;
  ForgetKeys();
  return true;
}

bool Circuit::OnFailure(const Failure& failure, uint32_t usable_keys) {
  DropOld(failure.time);
  if (failure.last_available) ++last_available_failures_;
  const uint32_t keys = Count(failure);
  return last_available_failures_ >= kInARow || (keys >= 2 && 2 * uint64_t{keys} > usable_keys);
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
  const absl::Duration backoff = Exponential(kCircuitBackoff, openings_++, kMaxCircuitBackoff);
  const absl::Duration wait =
      retry_after ? Clamped(*retry_after, kMaxBackoff) : Jittered(backoff, kMaxCircuitBackoff, random);
  const auto window = Window(now.time);
  for (const Failure& failure : window.last(std::min(window.size(), kMaxToBlame))) Blame(failure.key);
  for (const Failure& failure : refused_) Blame(failure.key);
  state_ = CircuitState::kOpen;
  reason_ = reason;
  retry_at_ = now.time + wait;
  opened_ = now.sequence + 1;
  trial_ = false;
  ClearWindow();
}

absl::Span<const Circuit::Failure> Circuit::Window(absl::Time now) {
  DropOld(now);
  return absl::MakeConstSpan(window_).subspan(begin_ - first_);
}

void Circuit::ClearWindow() {
  first_ = begin_ = first_ + window_.size();
  window_.clear();
  keys_by_reason_.clear();
  refused_.clear();
  overloads_ = last_available_failures_ = 0;
}

void Circuit::ForgetKeys() {
  ClearWindow();
  to_blame_.clear();
}

uint32_t Circuit::Count(const Failure& failure) {
  uint64_t& latest = latest_[failure.key];
  if (latest >= begin_) Uncount(window_[latest - first_]);
  latest = first_ + window_.size();
  window_.push_back(failure);
  for (auto& [reason, keys] : keys_by_reason_) {
    if (reason == failure.reason) return ++keys;
  }
  keys_by_reason_.emplace_back(failure.reason, 1);
  return 1;
}

void Circuit::Uncount(const Failure& failure) {
  for (auto& [reason, keys] : keys_by_reason_) {
    if (reason == failure.reason) --keys;
  }
}

void Circuit::DropOld(absl::Time now) {
  for (; begin_ < first_ + window_.size(); ++begin_) {
    const Failure& oldest = window_[begin_ - first_];
    if (now - oldest.time <= kWindow) break;
    if (latest_[oldest.key] == begin_) Uncount(oldest);
  }
  if (const uint64_t dropped = begin_ - first_; 2 * dropped > window_.size()) {
    window_.erase(window_.begin(), window_.begin() + static_cast<ptrdiff_t>(dropped));
    first_ = begin_;
  }
}

}  // namespace ccr::core

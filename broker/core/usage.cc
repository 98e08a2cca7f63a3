#include "broker/core/usage.h"

#include <algorithm>

namespace ccr::core {
namespace {

template <typename Window>
void KeepOne(bool wanted, std::unique_ptr<Window>* window) {
  if (!wanted) {
    window->reset();
  } else if (*window == nullptr) {
    *window = std::make_unique<Window>();
  }
}

template <typename Window>
absl::Time RoomIn(const std::unique_ptr<Window>& window, uint64_t limit, uint64_t amount, absl::Time now) {
  return limit == 0 || window == nullptr ? now : window->RoomAt(limit, amount, now);
}

template <typename Window>
uint64_t UsedIn(const std::unique_ptr<Window>& window, absl::Time now) {
  return window == nullptr ? 0 : window->Used(now);
}

template <typename Window>
void AddTo(const std::unique_ptr<Window>& window, absl::Time when, uint64_t amount) {
  if (window != nullptr && amount > 0) window->Add(when, amount);
}

template <typename Window>
void SettleIn(const std::unique_ptr<Window>& window, absl::Time granted, uint64_t estimated, uint64_t used,
              absl::Time now) {
  if (window == nullptr) return;
  if (used > estimated) window->Add(now, used - estimated);
  if (used < estimated) window->Take(granted, estimated - used);
}

}  // namespace

void Usage::Keep(const Limits& limits, const Limits& others) {
  KeepOne(limits.rpm > 0 || others.rpm > 0, &rpm_);
  KeepOne(limits.tpm > 0 || others.tpm > 0, &tpm_);
  KeepOne(limits.rpd > 0 || others.rpd > 0, &rpd_);
  KeepOne(limits.tpd > 0 || others.tpd > 0, &tpd_);
  counts_ = rpm_ != nullptr || tpm_ != nullptr || rpd_ != nullptr || tpd_ != nullptr;
}

void Usage::Restore(const Limits& used, absl::Time last_used) {
  AddTo(rpm_, last_used, used.rpm);
  AddTo(tpm_, last_used, used.tpm);
  AddTo(rpd_, last_used, used.rpd);
  AddTo(tpd_, last_used, used.tpd);
}

void Usage::AddToAll(absl::Time when, uint64_t requests, uint64_t tokens) {
  AddTo(rpm_, when, requests);
  AddTo(rpd_, when, requests);
  AddTo(tpm_, when, tokens);
  AddTo(tpd_, when, tokens);
}

bool Usage::SettleAll(absl::Time granted, uint64_t estimated, uint64_t used, absl::Time now) {
  SettleIn(tpm_, granted, estimated, used, now);
  SettleIn(tpd_, granted, estimated, used, now);
  return used > estimated && (tpm_ != nullptr || tpd_ != nullptr);
}

absl::Time Usage::RoomInAll(const Limits& limits, uint64_t tokens, absl::Time now) {
  const uint64_t at_least_one = std::max<uint64_t>(1, tokens);
  return std::max({RoomIn(rpm_, limits.rpm, 1, now), RoomIn(rpd_, limits.rpd, 1, now),
                   RoomIn(tpm_, limits.tpm, at_least_one, now), RoomIn(tpd_, limits.tpd, at_least_one, now)});
}

Limits Usage::Used(absl::Time now) {
  return {UsedIn(rpm_, now), UsedIn(tpm_, now), UsedIn(rpd_, now), UsedIn(tpd_, now)};
}

}  // namespace ccr::core

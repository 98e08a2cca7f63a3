#include "client/lib/held_leases.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace ccr::client {
namespace {

// The shortest time between two renewals of a lease.
constexpr std::chrono::milliseconds kMinRenewal{10};

// Half a lease's ttl; none for one without.
std::chrono::nanoseconds RenewalOf(const v1::LeaseResponse& lease) {
  if (lease.ttl_ms() == 0) return std::chrono::nanoseconds::max();
  constexpr uint64_t kLongestMs = 1'000'000'000;  // half of it fits into nanoseconds
  return std::max(std::chrono::milliseconds(std::min(lease.ttl_ms(), kLongestMs)) / 2, kMinRenewal);
}

}  // namespace

HeldLeases::Time HeldLeases::Add(const v1::LeaseResponse& lease, Time now) {
  const std::chrono::nanoseconds renewal = RenewalOf(lease);
  const Time renew_at = renewal == std::chrono::nanoseconds::max() ? Time::max() : now + renewal;
  leases_[lease.lease_id()] = {lease.pool(), lease.key_fingerprint(), renewal, renew_at, std::nullopt};
  return renew_at;
}

HeldLeases::Time HeldLeases::Renew(Time now, v1::LeaseStreamRequest* out) {
  Time next = Time::max();
  for (auto& [id, lease] : leases_) {
    if (lease.renew_at <= now) {
      out->add_operations()->mutable_renew()->set_lease_id(id);
      lease.renew_at = now + lease.renewal;
    }
    next = std::min(next, lease.renew_at);
  }
  return next;
}

void HeldLeases::Reassert(v1::Hello* hello) const {
  for (const auto& [id, lease] : leases_) {
    v1::HeldLease& held = *hello->add_held();
    held.set_lease_id(id);
    held.set_pool(lease.pool);
    held.set_key_fingerprint(lease.key_fingerprint);
  }
}

void HeldLeases::SetProgress(v1::ProgressRequest progress) {
  const auto lease = leases_.find(progress.lease_id());
  if (lease == leases_.end()) return;
  untold_.push_back(progress.lease_id());
  lease->second.progress = std::move(progress);
}

void HeldLeases::EndProgress(const std::string& lease_id) {
  const auto lease = leases_.find(lease_id);
  if (lease != leases_.end()) lease->second.progress.reset();
}

void HeldLeases::TellProgress(v1::LeaseStreamRequest* out) {
  for (const std::string& id : untold_) {
    const auto lease = leases_.find(id);
    if (lease == leases_.end() || !lease->second.progress) continue;
    *out->add_operations()->mutable_progress() = *lease->second.progress;
  }
  untold_.clear();
}

void HeldLeases::Retell() {
  untold_.clear();
  for (const auto& [id, lease] : leases_) {
    if (lease.progress) untold_.push_back(id);
  }
}

}  // namespace ccr::client

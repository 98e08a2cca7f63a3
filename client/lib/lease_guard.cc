#include "client/lib/lease_guard.h"

#include <utility>

namespace ccr::client {

Secret TakeSecret(v1::LeaseResponse& lease) {
  return Secret(std::move(*lease.mutable_credential()->mutable_secret()));
}

LeaseGuard::LeaseGuard(v1::LeaseResponse lease, Reporter reporter)
    : lease_(std::move(lease)), secret_(TakeSecret(lease_)), reporter_(std::move(reporter)) {}

LeaseGuard::~LeaseGuard() {
  v1::Evidence abandoned;
  abandoned.set_caller_fault(true);
  Failure(std::move(abandoned));
}

LeaseGuard::LeaseGuard(LeaseGuard&& other) noexcept
    : lease_(std::move(other.lease_)),
      secret_(std::move(other.secret_)),
      reporter_(std::exchange(other.reporter_, nullptr)) {}

LeaseGuard& LeaseGuard::operator=(LeaseGuard&& other) noexcept {
  if (this == &other) return *this;
  LeaseGuard ended(std::move(*this));
  lease_ = std::move(other.lease_);
  secret_ = std::move(other.secret_);
  reporter_ = std::exchange(other.reporter_, nullptr);
  return *this;
}

void LeaseGuard::Success() {
  v1::Evidence evidence;
  evidence.set_success(true);
  Failure(std::move(evidence));
}

void LeaseGuard::Failure(v1::Evidence evidence) {
  const Reporter reporter = std::exchange(reporter_, nullptr);
  if (!reporter) return;
  v1::ReportRequest report;
  report.set_lease_id(lease_.lease_id());
  *report.mutable_evidence() = std::move(evidence);
  reporter(report);
}

}  // namespace ccr::client

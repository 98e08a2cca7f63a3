#include "broker/adapters/grpc/requests.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "broker/adapters/grpc/convert.h"
#include "broker/adapters/grpc/errors.h"

namespace ccr {
namespace {

constexpr size_t kMaxPoolBytes = 256;
constexpr size_t kMaxModelBytes = 1024;
constexpr size_t kMaxSessionBytes = 256;
constexpr int kMaxExclude = 64;
constexpr size_t kMaxFingerprintBytes = 64;
constexpr size_t kMaxErrorBytes = 128;
constexpr size_t kMaxDetailBytes = 256;
constexpr size_t kMaxRequestIdBytes = 128;
constexpr size_t kMinTokenBytes = 16;
constexpr size_t kMaxTokenBytes = 64;
constexpr size_t kMaxClientBytes = 256;
constexpr int kMaxHeld = 65536;
constexpr uint32_t kHighestStatus = 599;

std::optional<google::rpc::Status> TooLong(std::string_view field, const std::string& value, size_t limit) {
  if (value.size() <= limit) return std::nullopt;
  return BadField(field, absl::StrCat("longer than ", limit, " bytes"));
}

std::optional<google::rpc::Status> CheckLease(const v1::LeaseRequest& request, const std::string& prefix) {
  if (request.pool().empty()) return BadField(prefix + "pool", "name a pool");
  if (auto error = TooLong(prefix + "pool", request.pool(), kMaxPoolBytes)) return error;
  if (auto error = TooLong(prefix + "model", request.model(), kMaxModelBytes)) return error;
  if (auto error = TooLong(prefix + "session", request.session(), kMaxSessionBytes)) return error;
  if (auto error = TooLong(prefix + "request_id", request.request_id(), kMaxRequestIdBytes)) return error;
  if (request.exclude_size() > kMaxExclude) {
    return BadField(prefix + "exclude", absl::StrCat("more than ", kMaxExclude, " keys"));
  }
  for (const std::string& fingerprint : request.exclude()) {
    if (auto error = TooLong(prefix + "exclude", fingerprint, kMaxFingerprintBytes)) return error;
  }
  if (!request.retry_of().empty() && !ParseLeaseId(request.retry_of())) {
    return BadField(prefix + "retry_of", "not an id of a lease");
  }
  return std::nullopt;
}

std::optional<google::rpc::Status> CheckHeld(const v1::HeldLease& lease, int index) {
  const std::string prefix = absl::StrCat("hello.held[", index, "].");
  if (!ParseLeaseId(lease.lease_id())) return BadField(prefix + "lease_id", "not an id of a lease");
  if (auto error = TooLong(prefix + "pool", lease.pool(), kMaxPoolBytes)) return error;
  return TooLong(prefix + "key_fingerprint", lease.key_fingerprint(), kMaxFingerprintBytes);
}

}  // namespace

std::optional<google::rpc::Status> Check(const v1::LeaseRequest& request) {
  return CheckLease(request, "");
}

std::optional<google::rpc::Status> Check(const v1::ReportRequest& request) {
  if (!ParseLeaseId(request.lease_id())) return BadField("lease_id", "not an id of a lease");
  const v1::Evidence& evidence = request.evidence();
  if (auto error = TooLong("evidence.error_type", evidence.error_type(), kMaxErrorBytes)) return error;
  if (auto error = TooLong("evidence.error_code", evidence.error_code(), kMaxErrorBytes)) return error;
  if (auto error = TooLong("evidence.detail", evidence.detail(), kMaxDetailBytes)) return error;
  if (auto error = TooLong("evidence.message", evidence.message(), kMaxDetailBytes)) return error;
  if (auto error = TooLong("evidence.provider_request_id", evidence.provider_request_id(), kMaxRequestIdBytes)) {
    return error;
  }
  if (auto error = TooLong("request_id", request.request_id(), kMaxRequestIdBytes)) return error;
  if (static_cast<size_t>(evidence.rate_limits_size()) > core::kMaxRateLimits) {
    return BadField("evidence.rate_limits", absl::StrCat("more than ", core::kMaxRateLimits));
  }
  if (!v1::TransportError_IsValid(evidence.transport_error())) {
    return BadField("evidence.transport_error", "unknown value");
  }
  if (request.has_next()) return CheckLease(request.next(), "next.");
  return std::nullopt;
}

std::optional<google::rpc::Status> Check(const v1::Hello& hello) {
  const size_t size = hello.session_token().size();
  if (size < kMinTokenBytes || size > kMaxTokenBytes) {
    return BadField("hello.session_token",
                    absl::StrCat("must have ", kMinTokenBytes, " to ", kMaxTokenBytes, " bytes"));
  }
  if (auto error = TooLong("hello.client", hello.client(), kMaxClientBytes)) return error;
  if (hello.held_size() > kMaxHeld) return BadField("hello.held", absl::StrCat("more than ", kMaxHeld, " leases"));
  for (int i = 0; i < hello.held_size(); ++i) {
    if (auto error = CheckHeld(hello.held(i), i)) return error;
  }
  return std::nullopt;
}

std::optional<google::rpc::Status> Check(const v1::WatchRoutingRequest& request) {
  return TooLong("client", request.client(), kMaxClientBytes);
}

std::optional<google::rpc::Status> Check(const v1::WatchEventsRequest& request) {
  return TooLong("pool", request.pool(), kMaxPoolBytes);
}

LeaseArgs::LeaseArgs(const v1::LeaseRequest& request, core::OwnerId owner)
    : exclude_(request.exclude().begin(), request.exclude().end()) {
  params_.pool = request.pool();
  params_.exclude = exclude_;
  params_.max_wait = absl::Milliseconds(request.max_wait_ms());
  params_.owner = owner;
  params_.session = request.session();
  params_.request_id = request.request_id();
  params_.model = request.model();
  params_.estimated_tokens = request.estimated_tokens();
  params_.retry_of = ParseLeaseId(request.retry_of()).value_or(core::LeaseId());
}

core::Report ToCore(const v1::ReportRequest& request) {
  core::Report report;
  report.id = *ParseLeaseId(request.lease_id());
  report.evidence = ToCore(request.evidence());
  report.earlier_permission_denials = request.earlier_permission_denials();
  report.earlier_overloads = request.earlier_overloads();
  report.request_id = request.request_id();
  return report;
}

bool ApplyProgress(BrokerService* service, const core::LeaseId& id, const v1::ProgressRequest& request) {
  core::Beginning beginning;
  beginning.http_status = request.http_status() <= kHighestStatus ? static_cast<int>(request.http_status()) : 0;
  beginning.first_byte = FromMilliseconds(request.first_byte_ms());
  beginning.rate_limits = ToCore(request.rate_limits());
  return service->Progress(id, beginning);
}

bool WantsNext(const v1::ReportRequest& request, const ReportAnswer& answer) {
  return request.has_next() && answer.decision.advice != core::Advice::kRelay;
}

}  // namespace ccr

#include "broker/adapters/grpc/errors.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "google/rpc/error_details.pb.h"

namespace ccr {
namespace {

constexpr char kDomain[] = "ccr.broker.v1";

const char* ReasonOf(core::Refusal::Why why) {
  switch (why) {
    case core::Refusal::Why::kNoneAvailable:
      return "NONE_AVAILABLE";
    case core::Refusal::Why::kAllDisabled:
      return "ALL_DISABLED";
    case core::Refusal::Why::kCircuitOpen:
      return "CIRCUIT_OPEN";
    case core::Refusal::Why::kQueueFull:
      return "QUEUE_FULL";
    case core::Refusal::Why::kWaitedTooLong:
      return "WAITED_TOO_LONG";
  }
  return "NONE_AVAILABLE";
}

google::rpc::Status MakeStatus(grpc::StatusCode code, std::string_view message) {
  google::rpc::Status status;
  status.set_code(code);
  status.set_message(message.data(), message.size());
  return status;
}

google::rpc::RetryInfo RetryAfter(absl::Duration delay) {
  const int64_t millis = absl::ToInt64Milliseconds(absl::Ceil(delay, absl::Milliseconds(1)));
  google::rpc::RetryInfo info;
  info.mutable_retry_delay()->set_seconds(millis / 1000);
  info.mutable_retry_delay()->set_nanos(static_cast<int32_t>(millis % 1000) * 1000000);
  return info;
}

}  // namespace

google::rpc::Status BadField(std::string_view field, std::string_view problem) {
  google::rpc::Status status =
      MakeStatus(grpc::StatusCode::INVALID_ARGUMENT, absl::StrCat(ToAbsl(field), ": ", ToAbsl(problem)));
  google::rpc::BadRequest request;
  google::rpc::BadRequest::FieldViolation* violation = request.add_field_violations();
  violation->set_field(field.data(), field.size());
  violation->set_description(problem.data(), problem.size());
  status.add_details()->PackFrom(request);
  return status;
}

google::rpc::Status NotFound(std::string_view message) {
  return MakeStatus(grpc::StatusCode::NOT_FOUND, message);
}

google::rpc::Status Exhausted(std::string_view message) {
  return MakeStatus(grpc::StatusCode::RESOURCE_EXHAUSTED, message);
}

google::rpc::Status PermissionDenied(std::string_view message) {
  return MakeStatus(grpc::StatusCode::PERMISSION_DENIED, message);
}

google::rpc::Status ToRpcStatus(const LeaseAnswer& answer) {
  google::rpc::Status status =
      MakeStatus(static_cast<grpc::StatusCode>(answer.status.code()), ToStd(answer.status.message()));
  if (!answer.refused.has_value()) return status;
  google::rpc::ErrorInfo info;
  info.set_reason(ReasonOf(*answer.refused));
  info.set_domain(kDomain);
  status.add_details()->PackFrom(info);
  if (answer.retry_after != absl::InfiniteDuration()) status.add_details()->PackFrom(RetryAfter(answer.retry_after));
  return status;
}

grpc::Status ToGrpcStatus(const google::rpc::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), status.message(), status.SerializeAsString()};
}

}  // namespace ccr

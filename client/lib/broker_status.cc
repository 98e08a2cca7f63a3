#include "client/lib/broker_status.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "google/rpc/error_details.pb.h"

namespace ccr::client {
namespace {

constexpr char kRetryInfoUrl[] = "type.googleapis.com/google.rpc.RetryInfo";

absl::Status Make(int code, const std::string& message) {
  return absl::Status(static_cast<absl::StatusCode>(code), message);
}

}  // namespace

absl::Status ToStatus(const google::rpc::Status& status) {
  absl::Status result = Make(status.code(), status.message());
  for (const auto& detail : status.details()) result.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  return result;
}

absl::Status ToStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  google::rpc::Status details;
  if (status.error_details().empty() || !details.ParseFromString(status.error_details())) details.Clear();
  details.set_code(static_cast<int>(status.error_code()));
  details.set_message(status.error_message());
  return ToStatus(details);
}

bool IsNobodyThere(const absl::Status& status) {
  if (!absl::IsUnavailable(status)) return false;
  const absl::string_view message = status.message();
  return absl::StrContains(message, "Connection refused") || absl::StrContains(message, "No such file");
}

std::string ConnectionProblem(const absl::Status& status) {
  absl::string_view message = status.message();
  for (const absl::string_view before : {"last error: ", "UNKNOWN: ", "UNAVAILABLE: "}) {
    const size_t at = message.find(before);
    if (at != absl::string_view::npos) message.remove_prefix(at + before.size());
  }
  return std::string(message);
}

std::optional<absl::Duration> RetryAfter(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetryInfoUrl);
  google::rpc::RetryInfo info;
  if (!payload.has_value() || !info.ParseFromString(std::string(*payload))) return std::nullopt;
  return absl::Seconds(info.retry_delay().seconds()) + absl::Nanoseconds(info.retry_delay().nanos());
}

}  // namespace ccr::client

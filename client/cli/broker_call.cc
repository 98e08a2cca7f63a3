#include "client/cli/broker_call.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/lib/broker_channel.h"

namespace ccr::cli {
namespace {

constexpr absl::Duration kDeadline = absl::Seconds(5);

}  // namespace

BrokerCall::BrokerCall(const BrokerTarget& broker)
    : address_(broker.address),
      target_(client::CheckBrokerTarget(broker)),
      client_(client::MakeBrokerChannel(broker)) {}

absl::StatusOr<broker::v1::ListPoolsResponse> BrokerCall::ListPools(const std::string& provider) {
  if (!target_.ok()) return target_;
  return client_.ListPools(provider, absl::Now() + kDeadline);
}

std::string BrokerCall::Explain(const absl::Status& status) const {
  if (!target_.ok()) return std::string(target_.message());
  if (absl::IsUnavailable(status)) {
    return absl::StrCat("no broker answers at ", address_, "; start it with: ccr start");
  }
  if (absl::IsDeadlineExceeded(status)) {
    return absl::StrCat("the broker at ", address_, " did not answer within ", absl::FormatDuration(kDeadline),
                        "; start it with: ccr start (or ccr restart when it hangs)");
  }
  if (absl::IsUnimplemented(status)) return absl::StrCat("what listens at ", address_, " is not a ccr-broker");
  return absl::StrCat("broker at ", address_, ": ", status.message());
}

}  // namespace ccr::cli

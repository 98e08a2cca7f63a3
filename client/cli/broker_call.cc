#include "client/cli/broker_call.h"

#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "broker/base/private_path.h"
#include "client/cli/text.h"
#include "client/lib/broker_channel.h"
#include "client/lib/broker_status.h"

namespace ccr::cli {
namespace {

constexpr absl::Duration kDeadline = absl::Seconds(5);
constexpr absl::Duration kReloadDeadline = absl::Seconds(60);
constexpr absl::Duration kChangeDeadline = absl::Seconds(30);
constexpr absl::Duration kLongDeadline = absl::Seconds(120);
constexpr size_t kNamedPools = 10;  // in a message

// What may be behind a connection that ends before anything is said.
std::string WhyEnded(const std::string& address, bool tls) {
  struct stat socket {};
  const std::string path = UnixPath(address);
  if (path.empty()) {
    return tls ? "does it speak TLS, with a certificate of --broker-tls-ca for this name, and does it want "
                 "--broker-tls-cert?"
               : "a broker with TLS needs --broker-tls-ca";
  }
  if (geteuid() == 0 || stat(path.c_str(), &socket) != 0 || socket.st_uid == geteuid()) return "is it a ccr-broker?";
  return absl::StrCat("a broker takes its own user (uid ", socket.st_uid,
                      "), root, and the uids of Broker.identities; this is uid ", geteuid(),
                      ": run ccr as one of them, or give this uid an identity there");
}

}  // namespace

BrokerCall::BrokerCall(const BrokerTarget& broker)
    : address_(broker.address),
      tls_(broker.tls.used()),
      target_(client::CheckBrokerTarget(broker)),
      client_(client::MakeBrokerChannel(broker)) {}

absl::StatusOr<broker::v1::ListPoolsResponse> BrokerCall::ListPools(const std::string& provider) {
  if (!target_.ok()) return target_;
  return client_.ListPools(provider, absl::Now() + kDeadline);
}

absl::StatusOr<broker::v1::BrokerStatus> BrokerCall::GetStatus() {
  if (!target_.ok()) return target_;
  absl::StatusOr<broker::v1::BrokerStatus> status = client_.GetStatus(absl::Now() + kDeadline);
  if (!absl::IsUnimplemented(status.status())) return status;
  const absl::StatusOr<broker::v1::ListPoolsResponse> pools = ListPools("");
  if (!pools.ok()) return pools.status();
  broker::v1::BrokerStatus known;
  known.set_version(pools->broker_version());
  known.set_config_path(pools->config_path());
  known.set_streams(pools->streams());
  if (pools->has_started_at()) *known.mutable_started_at() = pools->started_at();
  if (pools->has_now()) *known.mutable_now() = pools->now();
  return known;
}

absl::StatusOr<broker::v1::ReloadVerdict> BrokerCall::Reload() {
  if (!target_.ok()) return target_;
  return client_.Reload(absl::Now() + kReloadDeadline);
}

absl::StatusOr<broker::v1::SimulateResponse> BrokerCall::Simulate(const broker::v1::SimulateRequest& request) {
  if (!target_.ok()) return target_;
  return client_.Simulate(request, absl::Now() + kLongDeadline);
}

absl::StatusOr<broker::v1::KeyChange> BrokerCall::DisableKey(const broker::v1::DisableKeyRequest& request) {
  if (!target_.ok()) return target_;
  return client_.DisableKey(request, absl::Now() + kChangeDeadline);
}

absl::StatusOr<broker::v1::KeyChange> BrokerCall::EnableKey(const broker::v1::KeyRef& key) {
  if (!target_.ok()) return target_;
  return client_.EnableKey(key, absl::Now() + kChangeDeadline);
}

absl::StatusOr<broker::v1::KeyChange> BrokerCall::ResetKey(const broker::v1::KeyRef& key) {
  if (!target_.ok()) return target_;
  return client_.ResetKey(key, absl::Now() + kChangeDeadline);
}

absl::StatusOr<broker::v1::AddKeysResponse> BrokerCall::AddKeys(const broker::v1::AddKeysRequest& request) {
  if (!target_.ok()) return target_;
  return client_.AddKeys(request, absl::Now() + kLongDeadline);
}

absl::StatusOr<broker::v1::RemoveKeyResponse> BrokerCall::RemoveKey(const broker::v1::KeyRef& key) {
  if (!target_.ok()) return target_;
  return client_.RemoveKey(key, absl::Now() + kChangeDeadline);
}

absl::StatusOr<broker::v1::ChangePoolResponse> BrokerCall::ChangePool(const broker::v1::ChangePoolRequest& request) {
  if (!target_.ok()) return target_;
  return client_.ChangePool(request, absl::Now() + kChangeDeadline);
}

absl::StatusOr<broker::v1::ProbeKeyResponse> BrokerCall::ProbeKey(const broker::v1::KeyRef& key) {
  if (!target_.ok()) return target_;
  return client_.ProbeKey(key, absl::Now() + kLongDeadline);
}

absl::StatusOr<broker::v1::KeyHistory> BrokerCall::GetKeyHistory(const broker::v1::KeyRef& key) {
  if (!target_.ok()) return target_;
  return client_.GetKeyHistory(key, absl::Now() + kDeadline);
}

int BrokerCall::ExitStatus(const absl::Status& status) const {
  if (absl::IsInvalidArgument(target_)) return 2;
  return target_.ok() && client::IsNobodyThere(status) ? 3 : 1;
}

std::string BrokerCall::Explain(const absl::Status& status) const {
  if (!target_.ok()) return std::string(target_.message());
  if (client::IsNobodyThere(status))
    return absl::StrCat("no broker answers at ", address_, "; start it with: ccr start");
  if (absl::IsUnavailable(status)) {
    return absl::StrCat("no connection with a broker at ", address_, ": ", client::ConnectionProblem(status), "; ",
                        WhyEnded(address_, tls_));
  }
  if (absl::IsDeadlineExceeded(status)) {
    return absl::StrCat("the broker at ", address_, " did not answer in time; ccr restart, when it hangs");
  }
  if (absl::IsUnimplemented(status)) {
    return absl::StrCat("what listens at ", address_, " is not a ccr-broker of this release");
  }
  return absl::StrCat("broker at ", address_, ": ", status.message());
}

std::string BrokerCall::Meant(const std::string& provider, const absl::Status& status) {
  if (!absl::IsNotFound(status)) return "";
  const absl::StatusOr<broker::v1::ListPoolsResponse> all = ListPools("");
  if (!all.ok()) return "";
  std::vector<std::string> names;
  for (const broker::v1::PoolStatus& pool : all->pools()) names.push_back(pool.provider());
  const std::string nearest = Nearest(provider, names);
  if (!nearest.empty()) return absl::StrCat("; did you mean ", nearest, "?");
  if (names.size() > kNamedPools) names.resize(kNamedPools);
  return absl::StrCat("; there is ", absl::StrJoin(names, ", "));
}

}  // namespace ccr::cli

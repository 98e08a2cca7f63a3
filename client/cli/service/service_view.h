// How a service and the verdict on a reload look: for people, and as the JSON that all commands share.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ccr/broker/v1/key_admin.pb.h"
#include "client/cli/service/service_files.h"

namespace ccr::cli {

// What is known of a service. Nothing, or empty: not known.
struct ServiceView {
  std::optional<RunningService> service;  // nothing: ccr did not start it
  ServiceAddresses addresses;
  std::string config_path;
  std::string logs;     // folder
  std::string warning;  // of open listeners
  std::optional<broker::v1::BrokerStatus> broker;
  std::optional<broker::v1::ListPoolsResponse> pools;
  std::string silent;  // why the broker says nothing
};

std::string UrlOf(const std::string& address);  // of HOST:PORT

// {"running":true, "pid", "uptime_seconds", "endpoint", "broker", "broker_metrics", "proxy_metrics", "config", "logs",
// "version", "started_at", "streams", "reload", "warning", "pools"}: null for what is not known.
boost::json::object ServiceJson(const ServiceView& view, absl::Time now);

// Lines, a newline after each.
std::string ServiceText(const ServiceView& view, absl::Time now);

// {"accepted", "time", "problems", "changes", "needs_restart"}
boost::json::object VerdictJson(const broker::v1::ReloadVerdict& verdict);

// Its problems, a line each as `ccr config check` writes them.
std::string ProblemLines(const broker::v1::ReloadVerdict& verdict);

// What it changed and what waits for a restart, a line each.
std::string ChangeLines(const broker::v1::ReloadVerdict& verdict);

}  // namespace ccr::cli

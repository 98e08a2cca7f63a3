#include "client/cli/service/service_view.h"

#include <algorithm>
#include <boost/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "broker/config/config.h"
#include "client/cli/text.h"
#include "google/protobuf/util/time_util.h"

namespace ccr::cli {
namespace {

namespace v1 = ::ccr::broker::v1;
using boost::json::value;

value TextOrNothing(const std::string& text) {
  return text.empty() ? value(nullptr) : value(text);
}

absl::Time MomentOf(const google::protobuf::Timestamp& time) {
  return absl::FromUnixNanos(google::protobuf::util::TimeUtil::TimestampToNanoseconds(time));
}

absl::Duration Uptime(const ServiceView& view, absl::Time now) {
  const absl::Time since = view.service ? view.service->since : MomentOf(view.broker->started_at());
  return absl::Trunc(std::max(now - since, absl::ZeroDuration()), absl::Seconds(1));
}

boost::json::array PoolsArray(const v1::ListPoolsResponse& response) {
  boost::json::array pools;
  for (const v1::PoolStatus& pool : response.pools()) {
    pools.push_back(
        {{"provider", pool.provider()}, {"total_keys", pool.total_keys()}, {"available_keys", pool.available_keys()}});
  }
  return pools;
}

std::string PoolsText(const v1::ListPoolsResponse& response) {
  std::string text;
  for (const v1::PoolStatus& pool : response.pools()) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", pool.provider(), " ", pool.available_keys(), "/",
                    pool.total_keys());
  }
  return text.empty() ? "none" : text + " keys available";
}

boost::json::object ProblemJson(const v1::ConfigProblem& problem) {
  return {{"severity", problem.severity() == v1::ConfigProblem::ERROR ? "error" : "warning"},
          {"file", problem.file()},
          {"line", problem.line()},
          {"provider", problem.provider()},
          {"field", problem.field()},
          {"message", problem.message()}};
}

template <typename Texts>
boost::json::array TextArray(const Texts& texts) {
  boost::json::array array;
  for (const std::string& text : texts) array.emplace_back(text);
  return array;
}

boost::json::array SourceProblems(const v1::BrokerStatus& status) {
  boost::json::array problems;
  for (const v1::KeySourceProblem& problem : status.key_source_problems()) {
    problems.push_back({{"source", problem.source()},
                        {"error", problem.error()},
                        {"since", google::protobuf::util::TimeUtil::ToString(problem.since())},
                        {"has_keys", problem.has_keys()}});
  }
  return problems;
}

// A line for each source that fails, and for what is wrong with keys that were added.
std::string SourceLines(const v1::BrokerStatus& status, absl::Time now) {
  std::string text;
  for (const v1::KeySourceProblem& problem : status.key_source_problems()) {
    absl::StrAppend(&text, "  failing   ", problem.error(), " (since ", FormatAgo(now - MomentOf(problem.since())),
                    "): ", problem.has_keys() ? "the keys it gave last are used" : "it has given no key yet", "\n");
  }
  for (const std::string& problem : status.change_problems()) absl::StrAppend(&text, "  failing   ", problem, "\n");
  return text;
}

std::string Refusal(const v1::ReloadVerdict& verdict, absl::Time now) {
  return absl::StrCat("\nThe configuration file was refused ", FormatAgo(now - MomentOf(verdict.time())),
                      "; the broker goes on with the old configuration:\n", ProblemLines(verdict));
}

}  // namespace

std::string UrlOf(const std::string& address) {
  return "http://" + address;
}

boost::json::object ServiceJson(const ServiceView& view, absl::Time now) {
  boost::json::object json{{"running", true},
                           {"pid", view.service ? value(view.service->pid) : value(nullptr)},
                           {"uptime_seconds", nullptr},
                           {"endpoint", TextOrNothing(view.addresses.http.empty() ? "" : UrlOf(view.addresses.http))},
                           {"broker", TextOrNothing(view.addresses.broker)},
                           {"broker_metrics", TextOrNothing(view.addresses.broker_metrics)},
                           {"proxy_metrics", TextOrNothing(view.addresses.metrics)},
                           {"config", TextOrNothing(view.config_path)},
                           {"logs", TextOrNothing(view.logs)},
                           {"version", nullptr},
                           {"started_at", nullptr},
                           {"streams", nullptr},
                           {"reload", nullptr},
                           {"key_source_problems", nullptr},
                           {"change_problems", nullptr},
                           {"warning", TextOrNothing(view.warning)},
                           {"pools", view.pools ? value(PoolsArray(*view.pools)) : value(nullptr)}};
  if (view.service || view.broker) json["uptime_seconds"] = absl::ToInt64Seconds(Uptime(view, now));
  if (!view.broker) return json;
  json["version"] = TextOrNothing(view.broker->version());
  json["started_at"] = google::protobuf::util::TimeUtil::ToString(view.broker->started_at());
  json["streams"] = view.broker->streams();
  json["key_source_problems"] = SourceProblems(*view.broker);
  json["change_problems"] = TextArray(view.broker->change_problems());
  if (view.broker->has_last_reload()) json["reload"] = VerdictJson(view.broker->last_reload());
  return json;
}

std::string ServiceText(const ServiceView& view, absl::Time now) {
  std::string text =
      view.service ? absl::StrCat("ccr is running (pid ", view.service->pid, ").\n") : "A broker is running.\n";
  if (view.service || view.broker) absl::StrAppend(&text, "  uptime    ", FormatWait(Uptime(view, now)), "\n");
  if (!view.addresses.http.empty()) absl::StrAppend(&text, "  endpoint  ", UrlOf(view.addresses.http), "\n");
  absl::StrAppend(&text, "  broker    ", view.addresses.broker);
  if (view.broker) absl::StrAppend(&text, ", version ", view.broker->version(), ", streams ", view.broker->streams());
  absl::StrAppend(&text, "\n  config    ", view.config_path, "\n  pools     ",
                  view.pools ? PoolsText(*view.pools) : view.silent, "\n");
  if (view.broker) text += SourceLines(*view.broker, now);
  if (view.broker && view.broker->has_last_reload()) {
    const v1::ReloadVerdict& last = view.broker->last_reload();
    if (!last.accepted()) text += Refusal(last, now);
    if (last.needs_restart_size() > 0) {
      absl::StrAppend(&text, "  waiting   for ccr restart: ", absl::StrJoin(last.needs_restart(), ", "), "\n");
    }
  }
  if (!view.warning.empty()) absl::StrAppend(&text, "\n", view.warning, "\n");
  return text;
}

boost::json::object VerdictJson(const v1::ReloadVerdict& verdict) {
  boost::json::array problems;
  for (const v1::ConfigProblem& problem : verdict.problems()) problems.push_back(ProblemJson(problem));
  return {{"accepted", verdict.accepted()},
          {"time", google::protobuf::util::TimeUtil::ToString(verdict.time())},
          {"problems", std::move(problems)},
          {"changes", TextArray(verdict.changes())},
          {"needs_restart", TextArray(verdict.needs_restart())}};
}

std::string ProblemLines(const v1::ReloadVerdict& verdict) {
  std::string text;
  for (const v1::ConfigProblem& problem : verdict.problems()) {
    const bool is_error = problem.severity() == v1::ConfigProblem::ERROR;
    const ConfigProblem told{is_error ? ConfigProblem::Severity::kError : ConfigProblem::Severity::kWarning,
                             problem.file(),
                             problem.line(),
                             problem.provider(),
                             problem.field(),
                             problem.message()};
    absl::StrAppend(&text, told.ToString(), "\n");
  }
  return text;
}

std::string ChangeLines(const v1::ReloadVerdict& verdict) {
  std::string text;
  for (const std::string& change : verdict.changes()) absl::StrAppend(&text, "  ", change, "\n");
  if (verdict.changes().empty()) text = "  nothing is different\n";
  if (verdict.needs_restart_size() > 0) {
    absl::StrAppend(&text, "In effect after ccr restart: ", absl::StrJoin(verdict.needs_restart(), ", "), "\n");
  }
  return text;
}

}  // namespace ccr::cli

#include "client/cli/service.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "broker/base/config.h"
#include "client/cli/broker_call.h"
#include "client/cli/session_lock.h"
#include "client/cli/supervisor.h"
#include "client/cli/text.h"

namespace ccr::cli {
namespace {

constexpr int kPatientMs = 3000;                          // a stop that takes longer is explained
constexpr absl::Duration kStartTime = absl::Seconds(65);  // what two daemons may take to be ready, and a little more

std::string Url(const std::string& address) {
  return "http://" + address;
}

std::string AlreadyRunning(const ServiceFiles& files, const RunningService& service) {
  const std::string endpoint = files.ReadAddresses().value_or(ServiceAddresses{}).http;
  return absl::StrCat(
      "ccr: already running (pid ", service.pid, ")", endpoint.empty() ? "" : absl::StrCat(" at ", Url(endpoint)),
      StartedBySession(files, service) ? ", until the last ccr code ends; ccr restart lets it stay" : "", "\n");
}

void PrintReady(const ServiceAddresses& addresses, const ServiceFiles& files, bool has_token,
                const Terminal& terminal) {
  const char* token = has_token ? "<the APIKEY of your configuration>" : "test";
  terminal.out << "ccr is ready.\n"
               << "  endpoint  " << Url(addresses.http) << "\n"
               << "  broker    " << addresses.broker << "\n"
               << "  logs      " << files.log_folder() << "\n\n"
               << "Claude Code uses it with:\n"
               << "  export ANTHROPIC_BASE_URL=" << Url(addresses.http) << " ANTHROPIC_AUTH_TOKEN=" << token << "\n"
               << std::flush;
}

void WarnOfOpenListeners(const BrokerConfig& config, const Terminal& terminal) {
  const std::string warning = OpenListenersWarning(OpenListeners(config));
  if (!warning.empty()) terminal.err << "\n" << warning << "\n";
}

// A line about the daemon that is not where it belongs; empty when both are.
std::string MissingDaemon(const std::string& bin_folder) {
  for (const char* daemon : {"/ccr-broker", "/ccr-proxy"}) {
    if (access((bin_folder + daemon).c_str(), X_OK) == 0) continue;
    return absl::StrCat(bin_folder, daemon, " is missing; it belongs beside ccr\n");
  }
  return "";
}

// As the broker of the service runs: on a socket for this user alone, unless the configuration names addresses.
BrokerConfig OfService(BrokerConfig broker) {
  if (broker.listen.empty()) broker.listen = {ServiceSocket(broker)};
  return broker;
}

SupervisorOptions Supervision(const ServiceOptions& options, const Config& config) {
  return {ServiceFiles(options.config_path), options.bin_folder, OfService(config.broker), config.proxy};
}

int StartWith(const Config& config, const ServiceOptions& options, bool foreground, const Terminal& terminal) {
  const ServiceFiles files(options.config_path);
  if (const std::optional<RunningService> service = FindRunning(files)) {
    terminal.err << AlreadyRunning(files, *service);
    return 1;
  }
  if (const std::string missing = MissingDaemon(options.bin_folder); !missing.empty()) {
    terminal.err << "ccr: " << missing;
    return 1;
  }
  SupervisorOptions supervisor = Supervision(options, config);
  supervisor.echo = foreground;
  const auto tell = [&](const StartReport& report) {
    if (report.ok() && options.json) {
      terminal.out << EncodeAddresses(report.addresses) << std::endl;
    } else if (report.ok()) {
      PrintReady(report.addresses, files, !config.client_token.empty(), terminal);
    } else {
      terminal.err << report.error << "ccr: not started\n";
    }
    if (report.ok()) WarnOfOpenListeners(supervisor.broker, terminal);
    return true;
  };
  if (foreground) return Supervise(supervisor, tell);
  const StartReport report = SuperviseInBackground(supervisor);
  tell(report);
  return report.exit_code;
}

// A process that cannot be mistaken for a later one with the same pid.
class Process {
 public:
  explicit Process(pid_t pid) : fd_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {}
  ~Process() {
    if (fd_ >= 0) close(fd_);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  bool Signal(int number) const { return syscall(SYS_pidfd_send_signal, fd_, number, nullptr, 0) == 0; }

  // True when it has ended; `timeout_ms` -1 waits for ever.
  bool AwaitEnd(int timeout_ms) const {
    if (fd_ < 0) return true;
    pollfd ended{fd_, POLLIN, 0};
    return poll(&ended, 1, timeout_ms) > 0;
  }

 private:
  const int fd_;
};

// The running supervisor, when it can be signalled from here; says so when not.
std::optional<RunningService> Reachable(const ServiceFiles& files, const Terminal& terminal) {
  std::optional<RunningService> service = FindRunning(files);
  if (service && service->pid == 0) {
    terminal.err << "ccr: the service runs in another container; use ccr there\n";
  }
  return service;
}

bool SameService(const ServiceFiles& files, pid_t pid) {
  const std::optional<RunningService> service = FindRunning(files);
  return service && service->pid == pid;
}

std::string PoolsText(const broker::v1::ListPoolsResponse& response) {
  std::string text;
  for (const broker::v1::PoolStatus& pool : response.pools()) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", pool.provider(), " ", pool.available_keys(), "/",
                    pool.total_keys());
  }
  return text.empty() ? "none" : text + " keys available";
}

boost::json::array PoolsArray(const broker::v1::ListPoolsResponse& response) {
  boost::json::array pools;
  for (const broker::v1::PoolStatus& pool : response.pools()) {
    pools.push_back(
        {{"provider", pool.provider()}, {"total_keys", pool.total_keys()}, {"available_keys", pool.available_keys()}});
  }
  return pools;
}

void PrintRunning(const ServiceOptions& options, const RunningService& service, const ServiceAddresses& addresses,
                  const Terminal& terminal) {
  BrokerCall broker(FindBroker(options));
  const absl::StatusOr<broker::v1::ListPoolsResponse> response = broker.ListPools("");
  const absl::Duration uptime = std::max(absl::Now() - service.since, absl::ZeroDuration());
  const bool away = absl::IsUnavailable(response.status()) || absl::IsDeadlineExceeded(response.status());
  const std::string silent =
      away ? "the broker does not answer; see " + ServiceFiles(options.config_path).log_path("ccr-broker")
           : broker.Explain(response.status());
  const ConfigResult loaded = LoadConfig(options.config_path, ProcessEnv());
  const std::string warning = loaded.config ? OpenListenersWarning(OpenListeners(loaded.config->broker)) : "";
  if (options.json) {
    terminal.out << boost::json::serialize(boost::json::object{
                        {"running", true},
                        {"pid", service.pid},
                        {"uptime_seconds", absl::ToInt64Seconds(uptime)},
                        {"endpoint", Url(addresses.http)},
                        {"broker", addresses.broker},
                        {"warning", warning.empty() ? boost::json::value(nullptr) : boost::json::value(warning)},
                        {"pools",
                         response.ok() ? boost::json::value(PoolsArray(*response)) : boost::json::value(nullptr)}})
                 << "\n";
    return;
  }
  terminal.out << "ccr is running (pid " << service.pid << ").\n"
               << "  uptime    " << FormatWait(absl::Trunc(uptime, absl::Seconds(1))) << "\n"
               << "  endpoint  " << Url(addresses.http) << "\n"
               << "  broker    " << addresses.broker << "\n"
               << "  pools     " << (response.ok() ? PoolsText(*response) : silent) << "\n";
  if (!warning.empty()) terminal.out << "\n" << warning << "\n";
}

}  // namespace

int Start(const ServiceOptions& options, bool foreground, const Terminal& terminal) {
  const std::optional<Config> config = LoadOrExplain(options, false, terminal);
  return config ? StartWith(*config, options, foreground, terminal) : 2;
}

int Stop(const ServiceOptions& options, const Terminal& terminal) {
  const ServiceFiles files(options.config_path);
  const std::optional<RunningService> service = Reachable(files, terminal);
  if (service && service->pid == 0) return 1;
  if (!service) {
    terminal.out << "ccr is not running.\n";
    return 0;
  }
  if (!StopAndWait(files, *service, terminal)) return 1;
  terminal.out << "ccr is stopped.\n";
  return 0;
}

int Restart(const ServiceOptions& options, const Terminal& terminal) {
  const std::optional<Config> config = LoadOrExplain(options, false, terminal);
  if (!config) return 2;
  const int stopped = Stop(options, terminal);
  return stopped == 0 ? StartWith(*config, options, false, terminal) : stopped;
}

int Status(const ServiceOptions& options, const Terminal& terminal) {
  const ServiceFiles files(options.config_path);
  const std::optional<RunningService> service = FindRunning(files);
  if (!service) {
    terminal.out << (options.json ? R"({"running":false})" : "ccr is not running; start it with: ccr start") << "\n";
    return 3;
  }
  const std::optional<ServiceAddresses> addresses = files.ReadAddresses();
  if (!addresses && !options.json) {
    terminal.out << "ccr is starting (pid " << service->pid << ").\n";
    return 0;
  }
  PrintRunning(options, *service, addresses.value_or(ServiceAddresses{}), terminal);
  return 0;
}

int Reload(const ServiceOptions& options, const Terminal& terminal) {
  const ServiceFiles files(options.config_path);
  const std::optional<RunningService> service = Reachable(files, terminal);
  if (service && service->pid == 0) return 1;
  if (!service) {
    terminal.err << "ccr: not running; start it with: ccr start\n";
    return 3;
  }
  if (!LoadOrExplain(options, false, terminal)) {
    terminal.err << "ccr: nothing was changed\n";
    return 2;
  }
  const Process process(service->pid);
  if (SameService(files, service->pid) && process.Signal(SIGHUP)) {
    terminal.out << "the broker reads " << files.config_path() << " again.\n";
    return 0;
  }
  terminal.err << "ccr: cannot signal pid " << service->pid << ": " << std::strerror(errno) << "\n";
  return 1;
}

std::optional<Config> LoadOrExplain(const ServiceOptions& options, bool quiet, const Terminal& terminal) {
  ConfigResult result = LoadConfig(options.config_path, ProcessEnv());
  for (const ConfigProblem& problem : result.problems) {
    if (!quiet || !result.config) terminal.err << problem.ToString() << "\n";
  }
  return std::move(result.config);
}

StartReport StartInBackground(const ServiceOptions& options, const Config& config) {
  const std::string missing = MissingDaemon(options.bin_folder);
  return missing.empty() ? SuperviseInBackground(Supervision(options, config)) : StartReport{1, missing, {}};
}

bool StopAndWait(const ServiceFiles& files, const RunningService& service, const Terminal& terminal) {
  const Process process(service.pid);
  // Checked after the process was opened: it is the holder of the lock, not somebody who got its pid since.
  if (SameService(files, service.pid) && !process.Signal(SIGTERM)) {
    terminal.err << "ccr: cannot stop pid " << service.pid << ": " << std::strerror(errno) << "\n";
    return false;
  }
  if (!process.AwaitEnd(kPatientMs)) {
    terminal.err
        << "waiting for the service to end; requests in flight may finish (Ctrl-C ends the waiting, not the stop)\n";
    process.AwaitEnd(-1);
  }
  return true;
}

absl::StatusOr<ServiceAddresses> AwaitAddresses(const ServiceFiles& files) {
  const absl::Time deadline = absl::Now() + kStartTime;
  while (FindRunning(files)) {
    if (std::optional<ServiceAddresses> addresses = files.ReadAddresses()) return *std::move(addresses);
    if (absl::Now() > deadline) return absl::DeadlineExceededError("the service is starting for too long");
    absl::SleepFor(absl::Milliseconds(20));
  }
  return absl::NotFoundError("not running");
}

BrokerTarget FindBroker(const ServiceOptions& options) {
  if (!options.broker.empty()) return BrokerAt(options.broker, options);
  const ServiceFiles files(options.config_path);
  if (FindRunning(files)) {
    const std::optional<ServiceAddresses> addresses = files.ReadAddresses();
    if (addresses && !addresses->broker.empty()) return BrokerAt(addresses->broker, options);
  }
  const ConfigResult result = LoadConfig(options.config_path, ProcessEnv());
  return BrokerAt(result.config ? ConfiguredBroker(result.config->broker) : kDefaultBrokerListen, options);
}

BrokerTarget BrokerAt(const std::string& address, const ServiceOptions& options) {
  BrokerTarget target{address, options.broker_tls, options.broker_token_file};
  if (target.tls.used() && !target.token_file.empty()) return target;
  const ConfigResult result = LoadConfig(options.config_path, ProcessEnv());
  if (!result.config) return target;
  if (!target.tls.used()) target.tls = result.config->proxy.broker_tls;
  if (target.token_file.empty()) target.token_file = result.config->proxy.broker_token_file;
  return target;
}

std::string ConfiguredBroker(const BrokerConfig& config) {
  return Connectable(config.listen.empty() ? kDefaultBrokerListen : config.listen.front());
}

}  // namespace ccr::cli

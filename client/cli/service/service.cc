#include "client/cli/service/service.h"

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
#include "broker/base/file_content.h"
#include "broker/config/config.h"
#include "client/cli/broker_call.h"
#include "client/cli/config/load.h"
#include "client/cli/service/service_view.h"
#include "client/cli/service/session_lock.h"
#include "client/cli/service/supervisor.h"
#include "client/cli/text.h"

namespace ccr::cli {
namespace {

constexpr int kPatientMs = 3000;                          // a stop that takes longer is explained
constexpr absl::Duration kStartTime = absl::Seconds(65);  // what two daemons may take to be ready, and a little more

std::string AlreadyRunning(const ServiceFiles& files, const RunningService& service) {
  const std::string endpoint = files.ReadAddresses().value_or(ServiceAddresses{}).http;
  return absl::StrCat(
      "ccr: already running (pid ", service.pid, ")", endpoint.empty() ? "" : absl::StrCat(" at ", UrlOf(endpoint)),
      StartedBySession(files, service) ? ", until the last ccr code ends; ccr restart lets it stay" : "", "\n");
}

void PrintReady(const ServiceAddresses& addresses, const ServiceFiles& files, bool has_token,
                const Terminal& terminal) {
  const char* token = has_token ? "<the APIKEY of your configuration>" : "test";
  terminal.out << "ccr is ready.\n"
               << "  endpoint  " << UrlOf(addresses.http) << "\n"
               << "  broker    " << addresses.broker << "\n"
               << "  logs      " << files.log_folder() << "\n\n"
               << "Claude Code uses it with:\n"
               << "  export ANTHROPIC_BASE_URL=" << UrlOf(addresses.http) << " ANTHROPIC_AUTH_TOKEN=" << token << "\n"
               << std::flush;
}

void Print(const ServiceView& view, bool json, const Terminal& terminal) {
  terminal.out << (json ? boost::json::serialize(ServiceJson(view, absl::Now())) + "\n"
                        : ServiceText(view, absl::Now()));
}

int Tell(const absl::Status& status, const Terminal& terminal) {
  terminal.err << "ccr: " << status.message() << "\n";
  return 1;
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
  const ServiceFiles files = FilesOf(options);
  BrokerConfig broker = config.broker;
  const bool moved = !files.beside_config() && broker.state_dir == ResolvePath("state", files.config_path(), "");
  if (moved) broker.state_dir = files.folder() + "/state";
  return {files,
          options.bin_folder,
          OfService(broker),
          config.proxy,
          moved ? broker.state_dir : "",
          config.log ? config.log_level : "off",
          config.log_format};
}

int StartWith(const Config& config, const ServiceOptions& options, bool foreground, const Terminal& terminal) {
  const ServiceFiles files = FilesOf(options);
  if (const absl::Status usable = CheckUsable(files); !usable.ok()) return Tell(usable, terminal);
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
    const std::string warning = WarningOfOpenListeners(supervisor.broker, report.addresses);
    if (report.ok() && options.json) {
      // In the foreground this is the process that holds the pid file, which it must not open again.
      Print({foreground ? RunningService{getpid(), absl::Now(), files.config_path()} : FindRunning(files),
             report.addresses,
             files.config_path(),
             files.log_folder(),
             warning,
             {},
             {},
             ""},
            true, terminal);
      terminal.out << std::flush;
    } else if (report.ok()) {
      PrintReady(report.addresses, files, !config.client_token.empty(), terminal);
    } else {
      terminal.err << report.error << "ccr: not started\n";
    }
    if (report.ok() && !warning.empty()) terminal.err << "\n" << warning << "\n";
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

std::string WarningOf(const ServiceOptions& options, const ServiceAddresses& addresses) {
  const ConfigResult loaded = LoadConfig(options.config_path, ProcessEnv());
  return loaded.config ? WarningOfOpenListeners(loaded.config->broker, addresses) : "";
}

int NotRunning(const Terminal& terminal) {
  terminal.err << "ccr: not running; start it with: ccr start\n";
  return 3;
}

void Ask(BrokerCall& broker, ServiceView* view, absl::Status* failed) {
  absl::StatusOr<broker::v1::BrokerStatus> status = broker.GetStatus();
  *failed = status.status();
  if (!status.ok()) return;
  view->broker = *std::move(status);
  absl::StatusOr<broker::v1::ListPoolsResponse> pools = broker.ListPools("");
  if (pools.ok()) {
    view->pools = *std::move(pools);
  } else {
    view->silent = broker.Explain(pools.status());
  }
}

// The state of the broker at --broker, or of one that something else keeps running.
int StatusOfBroker(const ServiceOptions& options, const Terminal& terminal) {
  BrokerCall broker(FindBroker(options));
  ServiceView view;
  absl::Status failed;
  Ask(broker, &view, &failed);
  if (!failed.ok()) {
    const int exit_status = broker.ExitStatus(failed);
    if (options.broker.empty() && exit_status == 3) return NotRunning(terminal);
    terminal.err << "ccr: " << broker.Explain(failed) << "\n";
    return exit_status;
  }
  view.addresses.broker = broker.address();
  view.config_path = view.broker->config_path();
  if (options.broker.empty()) view.warning = WarningOf(options, {});
  Print(view, options.json, terminal);
  return 0;
}

int StopService(const ServiceOptions& options, bool quiet, const Terminal& terminal) {
  const ServiceFiles files = FilesOf(options);
  if (const absl::Status usable = CheckUsable(files); !usable.ok()) return Tell(usable, terminal);
  const std::optional<RunningService> service = Reachable(files, terminal);
  if (service && service->pid == 0) return 1;
  if (service && !StopAndWait(files, *service, terminal)) return 1;
  if (quiet) return 0;
  if (options.json) {
    terminal.out << boost::json::serialize(boost::json::object{{"running", false}, {"stopped", service.has_value()}})
                 << "\n";
  } else {
    terminal.out << (service ? "ccr is stopped.\n" : "ccr is not running.\n");
  }
  return 0;
}

void PrintVerdict(const broker::v1::ReloadVerdict& verdict, const std::string& address, bool json,
                  const Terminal& terminal) {
  if (json) {
    terminal.out << boost::json::serialize(VerdictJson(verdict)) << "\n";
    return;
  }
  terminal.err << ProblemLines(verdict);
  if (verdict.accepted()) {
    terminal.out << "The broker at " << address << " has taken its configuration into effect:\n"
                 << ChangeLines(verdict);
  } else {
    terminal.err << "ccr: the broker at " << address << " refused this and goes on with its old configuration\n";
  }
}

}  // namespace

int Start(const ServiceOptions& options, bool foreground, const Terminal& terminal) {
  const std::optional<Config> config = LoadOrExplain(options, false, terminal);
  return config ? StartWith(*config, options, foreground, terminal) : 2;
}

int Stop(const ServiceOptions& options, const Terminal& terminal) {
  return StopService(options, false, terminal);
}

int Restart(const ServiceOptions& options, const Terminal& terminal) {
  if (const absl::Status usable = CheckUsable(FilesOf(options)); !usable.ok()) return Tell(usable, terminal);
  const std::optional<Config> config = LoadOrExplain(options, false, terminal);
  if (!config) return 2;
  const int stopped = StopService(options, options.json, terminal);
  return stopped == 0 ? StartWith(*config, options, false, terminal) : stopped;
}

int Status(const ServiceOptions& options, const Terminal& terminal) {
  if (!options.broker.empty()) return StatusOfBroker(options, terminal);
  if (const absl::Status asked = CheckAsked(options); !asked.ok()) return Tell(asked, terminal);
  const ServiceFiles files = FilesOf(options);
  const std::optional<RunningService> service = FindRunning(files);
  if (!service) return StatusOfBroker(options, terminal);
  const std::optional<ServiceAddresses> addresses = files.ReadAddresses();
  if (!addresses && !options.json) {
    terminal.out << "ccr is starting (pid " << service->pid << ").\n";
    return 0;
  }
  ServiceView view{service,
                   addresses.value_or(ServiceAddresses{}),
                   files.config_path(),
                   files.log_folder(),
                   WarningOf(options, addresses.value_or(ServiceAddresses{})),
                   {},
                   {},
                   ""};
  if (!service->config_path.empty()) view.config_path = service->config_path;
  if (addresses) {
    BrokerCall broker(BrokerAt(addresses->broker, options));
    absl::Status failed;
    Ask(broker, &view, &failed);
    const bool away = absl::IsUnavailable(failed) || absl::IsDeadlineExceeded(failed);
    if (away) view.silent = "the broker does not answer; see " + files.log_path("ccr-broker");
    if (!failed.ok() && !away) view.silent = broker.Explain(failed);
  }
  Print(view, options.json, terminal);
  return 0;
}

int Reload(const ServiceOptions& options, const Terminal& terminal) {
  if (options.broker.empty()) {
    if (const absl::Status usable = CheckUsable(FilesOf(options)); !usable.ok()) return Tell(usable, terminal);
  }
  BrokerCall broker(FindBroker(options));
  const absl::StatusOr<broker::v1::ReloadVerdict> verdict = broker.Reload();
  if (!verdict.ok()) {
    const int exit_status = broker.ExitStatus(verdict.status());
    if (options.broker.empty() && exit_status == 3) return NotRunning(terminal);
    terminal.err << "ccr: " << broker.Explain(verdict.status()) << "\n";
    return exit_status;
  }
  PrintVerdict(*verdict, broker.address(), options.json, terminal);
  if (verdict->accepted()) return 0;
  const bool good_here =
      options.broker.empty() &&
      LoadConfig(options.config_path, ProcessEnv(), nullptr, MasterKeyPlaceOf(options)).config.has_value();
  if (good_here && !options.json) {
    terminal.err
        << "The file is right in this shell's environment; the broker has that of its start: ccr restart gives "
           "it this one.\n";
  }
  return 2;
}

std::optional<Config> LoadOrExplain(const ServiceOptions& options, bool quiet, const Terminal& terminal) {
  const MasterKeyPlace place = MasterKeyPlaceOf(options);
  ConfigResult result = quiet ? LoadConfig(options.config_path, ProcessEnv(), nullptr, place)
                              : LoadWithKeys(options.config_path, /*strict=*/false, place);
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
  if (const absl::Status usable = CheckUsable(files); !usable.ok()) return usable;
  while (FindRunning(files)) {
    if (std::optional<ServiceAddresses> addresses = files.ReadAddresses()) return *std::move(addresses);
    if (absl::Now() > deadline) return absl::DeadlineExceededError("the service is starting for too long");
    absl::SleepFor(absl::Milliseconds(20));
  }
  return absl::NotFoundError("not running");
}

ServiceFiles FilesOf(const ServiceOptions& options) {
  return ServiceFiles(options.config_path, options.run_dir);
}

MasterKeyPlace MasterKeyPlaceOf(const ServiceOptions& options) {
  const ServiceFiles files = FilesOf(options);
  return {"", files.beside_config() ? "" : files.folder() + "/state"};
}

absl::Status CheckAsked(const ServiceOptions& options) {
  const absl::Status usable = options.broker.empty() ? CheckUsable(FilesOf(options)) : absl::OkStatus();
  return absl::IsPermissionDenied(usable) ? usable : absl::OkStatus();
}

BrokerTarget FindBroker(const ServiceOptions& options) {
  if (!options.broker.empty()) return BrokerAt(options.broker, options);
  const ServiceFiles files = FilesOf(options);
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

std::string WarningOfOpenListeners(BrokerConfig config, const ServiceAddresses& addresses) {
  if (!addresses.broker_listen.empty()) config.listen = addresses.broker_listen;
  return OpenListenersWarning(OpenListeners(config));
}

std::string ConfiguredBroker(const BrokerConfig& config) {
  return Connectable(config.listen.empty() ? kDefaultBrokerListen : config.listen.front());
}

}  // namespace ccr::cli

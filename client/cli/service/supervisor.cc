#include "client/cli/service/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "broker/base/clock.h"
#include "client/cli/service/daemon.h"

namespace ccr::cli {
namespace {

constexpr absl::Duration kStable = absl::Seconds(10);     // ready for so long: earlier deaths are forgotten
constexpr absl::Duration kKillMargin = absl::Seconds(5);  // beyond what a daemon may take to end by itself
constexpr absl::Duration kBrokerStop = absl::Seconds(5);

// A daemon and when to start it again.
struct Member {
  Daemon daemon;
  int deaths = 0;  // quick ones in a row
  absl::Time ready_since = absl::InfiniteFuture();
  absl::Time restart_at = absl::InfiniteFuture();
};

// With port 0 in the configuration, a restarted daemon gets the port it had before: others know it.
std::string KeepPort(const std::string& configured, const std::string& bound) {
  const bool any_port = configured.size() > 2 && configured.compare(configured.size() - 2, 2, ":0") == 0;
  return any_port && !bound.empty() ? bound : configured;
}

class Supervisor {
 public:
  Supervisor(const SupervisorOptions& options, const std::function<bool(const StartReport&)>& report);
  ~Supervisor();

  int Run();

 private:
  enum class Phase { kStartingBroker, kStartingProxy, kRunning, kStoppingProxy, kStoppingBroker, kEnded };

  absl::Status Prepare();
  void Wait();
  void TakeSignals();
  void OnSignal(const signalfd_siginfo& signal);
  void Reap();
  void Advance();
  void AwaitStart(Member& member, Phase next);
  absl::Status OpenLogs();
  void BeReady();
  void KeepAlive(Member& member);
  void Spawn(Member& member);
  void AwaitStop(Member& member, Phase next);
  void Stop();
  void Fail(int exit_code, const std::string& what, const Daemon& daemon);
  std::vector<std::string> Arguments(const Member& member) const;
  std::vector<std::string> BrokerListen() const;
  std::string BrokerAddress() const;
  ServiceAddresses Addresses() const;
  absl::Time NextDeadline() const;
  std::array<Member*, 2> members() { return {&proxy_, &broker_}; }

  const SupervisorOptions& options_;
  const std::function<bool(const StartReport&)>& report_;
  const MonotonicWallClock clock_;
  std::optional<PidFile> pid_file_;
  sigset_t previous_mask_{};
  int signals_ = -1;
  Phase phase_ = Phase::kStartingBroker;
  absl::Time deadline_ = absl::InfiniteFuture();  // of the present phase
  StartReport failure_;
  Member broker_;
  Member proxy_;
};

Supervisor::Supervisor(const SupervisorOptions& options, const std::function<bool(const StartReport&)>& report)
    : options_(options),
      report_(report),
      broker_{{"ccr-broker", options.bin_folder + "/ccr-broker", options.echo, Daemon::Environment::kAll,
               ParseLogFormat(options.log_format).value_or(LogFormat::kText)}},
      proxy_{{"ccr-proxy", options.bin_folder + "/ccr-proxy", options.echo, Daemon::Environment::kPlain,
              ParseLogFormat(options.log_format).value_or(LogFormat::kText)}} {}

Supervisor::~Supervisor() {
  if (signals_ < 0) return;
  close(signals_);
  sigprocmask(SIG_SETMASK, &previous_mask_, nullptr);
}

int Supervisor::Run() {
  if (const absl::Status prepared = Prepare(); !prepared.ok()) {
    report_({1, absl::StrCat(prepared.message(), "\n"), {}});
    return 1;
  }
  Spawn(broker_);
  deadline_ = clock_.Now() + options_.ready_timeout;
  while (phase_ != Phase::kEnded) {
    const Phase before = phase_;
    Advance();
    if (phase_ == before) Wait();
  }
  options_.files.RemoveAddresses();
  pid_file_.reset();
  if (!failure_.ok()) report_(failure_);
  return failure_.exit_code;
}

absl::Status Supervisor::Prepare() {
  sigset_t mask;
  sigemptyset(&mask);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&mask, number);
  sigprocmask(SIG_BLOCK, &mask, &previous_mask_);
  std::signal(SIGCHLD, SIG_DFL);
  std::signal(SIGPIPE, SIG_IGN);
  signals_ = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
  if (const absl::Status made = options_.files.MakeFolder(); !made.ok()) return made;
  absl::StatusOr<PidFile> pid_file = PidFile::Acquire(options_.files);
  if (!pid_file.ok()) return pid_file.status();
  pid_file_.emplace(*std::move(pid_file));
  options_.files.RemoveAddresses();
  mkdir(options_.files.log_folder().c_str(), 0700);
  return OpenLogs();
}

absl::Status Supervisor::OpenLogs() {
  for (Member* member : members()) {
    const absl::Status opened = member->daemon.OpenLog(options_.files.log_path(member->daemon.name()));
    if (!opened.ok()) return opened;
  }
  return absl::OkStatus();
}

void Supervisor::Wait() {
  const absl::Duration left = std::clamp(NextDeadline() - clock_.Now(), absl::ZeroDuration(), absl::Hours(1));
  std::array<pollfd, 3> fds{pollfd{signals_, POLLIN, 0}, pollfd{broker_.daemon.fd(), POLLIN, 0},
                            pollfd{proxy_.daemon.fd(), POLLIN, 0}};
  poll(fds.data(), fds.size(), static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1)))));
  for (Member* member : members()) {
    const bool was_ready = member->daemon.ready();
    member->daemon.ReadOutput();
    if (!was_ready && member->daemon.ready()) member->ready_since = clock_.Now();
  }
  TakeSignals();
}

absl::Time Supervisor::NextDeadline() const {
  return std::min({deadline_, broker_.restart_at, proxy_.restart_at});
}

void Supervisor::TakeSignals() {
  signalfd_siginfo signal{};
  while (read(signals_, &signal, sizeof signal) == sizeof signal) OnSignal(signal);
}

void Supervisor::OnSignal(const signalfd_siginfo& signal) {
  const bool terminal_gone = signal.ssi_signo == SIGHUP && signal.ssi_code == SI_KERNEL;
  if (signal.ssi_signo == SIGCHLD) {
    Reap();
  } else if (signal.ssi_signo == SIGHUP && !terminal_gone) {
    if (const absl::Status opened = OpenLogs(); !opened.ok()) broker_.daemon.Note(std::string(opened.message()));
    broker_.daemon.Signal(SIGHUP);
  } else if (phase_ == Phase::kStoppingProxy || phase_ == Phase::kStoppingBroker) {
    for (Member* member : members()) member->daemon.Signal(SIGKILL);
  } else {
    if (phase_ != Phase::kRunning) failure_ = {1, "stopped before it was ready\n", {}};
    Stop();
  }
}

void Supervisor::Reap() {
  int status = 0;
  for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    for (Member* member : members()) {
      if (member->daemon.pid() == pid) member->daemon.OnExit(status);
    }
  }
}

void Supervisor::Advance() {
  switch (phase_) {
    case Phase::kStartingBroker:
      return AwaitStart(broker_, Phase::kStartingProxy);
    case Phase::kStartingProxy:
      if (!broker_.daemon.running()) return AwaitStart(broker_, Phase::kStartingProxy);
      return AwaitStart(proxy_, Phase::kRunning);
    case Phase::kRunning:
      KeepAlive(broker_);
      return KeepAlive(proxy_);
    case Phase::kStoppingProxy:
      return AwaitStop(proxy_, Phase::kStoppingBroker);
    case Phase::kStoppingBroker:
      return AwaitStop(broker_, Phase::kEnded);
    case Phase::kEnded:
      return;
  }
}

void Supervisor::AwaitStart(Member& member, Phase next) {
  const Daemon& daemon = member.daemon;
  if (!daemon.running()) {
    const int status = daemon.exit_status();
    const bool bad_configuration = WIFEXITED(status) && WEXITSTATUS(status) == 2;
    return Fail(bad_configuration ? 2 : 1, absl::StrCat("ended before it was ready: ", DescribeExit(status)), daemon);
  }
  if (!daemon.ready()) {
    if (clock_.Now() < deadline_) return;
    return Fail(1, absl::StrCat("not ready after ", absl::FormatDuration(options_.ready_timeout)), daemon);
  }
  phase_ = next;
  deadline_ = clock_.Now() + options_.ready_timeout;
  if (next == Phase::kRunning) return BeReady();
  Spawn(proxy_);
}

void Supervisor::Fail(int exit_code, const std::string& what, const Daemon& daemon) {
  failure_ = {exit_code, absl::StrCat(daemon.RecentLines(), daemon.name(), " ", what, "\n"), {}};
  Stop();
}

void Supervisor::BeReady() {
  deadline_ = absl::InfiniteFuture();
  if (const absl::Status written = options_.files.WriteAddresses(Addresses()); !written.ok()) {
    failure_ = {1, absl::StrCat(written.message(), "\n"), {}};
    return Stop();
  }
  if (!report_({0, "", Addresses()})) Stop();
}

void Supervisor::KeepAlive(Member& member) {
  const absl::Time now = clock_.Now();
  if (member.daemon.running()) return;
  if (member.restart_at == absl::InfiniteFuture()) {
    member.deaths = now - member.ready_since >= kStable ? 1 : member.deaths + 1;
    const absl::Duration pause = RestartBackoff(member.deaths);
    member.restart_at = now + pause;
    member.daemon.Note(absl::StrCat(member.daemon.name(), " ended: ", DescribeExit(member.daemon.exit_status()),
                                    "; starting it again in ", absl::FormatDuration(pause)));
  }
  if (now >= member.restart_at) Spawn(member);
}

void Supervisor::Spawn(Member& member) {
  member.ready_since = absl::InfiniteFuture();
  member.restart_at = absl::InfiniteFuture();
  if (const absl::Status spawned = member.daemon.Spawn(Arguments(member)); !spawned.ok()) {
    member.daemon.Note(std::string(spawned.message()));
  }
}

void Supervisor::Stop() {
  phase_ = Phase::kStoppingProxy;
  proxy_.daemon.Signal(SIGTERM);
  deadline_ = clock_.Now() + options_.proxy.drain_timeout + kKillMargin;
}

void Supervisor::AwaitStop(Member& member, Phase next) {
  if (member.daemon.running()) {
    if (clock_.Now() < deadline_) return;
    member.daemon.Note(absl::StrCat(member.daemon.name(), " did not end in time; killed"));
    member.daemon.Signal(SIGKILL);
    deadline_ = absl::InfiniteFuture();
    return;
  }
  phase_ = next;
  if (next != Phase::kStoppingBroker) return;
  broker_.daemon.Signal(SIGTERM);
  deadline_ = clock_.Now() + kBrokerStop;
}

std::vector<std::string> Supervisor::Arguments(const Member& member) const {
  if (&member == &broker_) {
    std::vector<std::string> arguments{"--config", options_.files.config_path()};
    const std::string metrics = KeepPort(options_.broker.metrics_listen, broker_.daemon.address("metrics"));
    for (const std::string& address : BrokerListen()) arguments.insert(arguments.end(), {"--listen", address});
    if (!options_.state_dir.empty()) arguments.insert(arguments.end(), {"--state-dir", options_.state_dir});
    if (metrics != options_.broker.metrics_listen) arguments.insert(arguments.end(), {"--metrics-listen", metrics});
    return arguments;
  }
  std::vector<std::string> arguments{
      "--broker",
      BrokerAddress(),
      "--listen",
      KeepPort(options_.proxy.listen, proxy_.daemon.address("http")),
      "--metrics-listen",
      KeepPort(options_.proxy.metrics_listen, proxy_.daemon.address("metrics")),
      "--drain-timeout",
      absl::StrCat(absl::ToInt64Seconds(absl::Ceil(options_.proxy.drain_timeout, absl::Seconds(1))))};
  const TlsFiles& tls = options_.proxy.broker_tls;
  if (!tls.ca.empty()) arguments.insert(arguments.end(), {"--broker-tls-ca", tls.ca});
  if (!tls.cert.empty()) {
    arguments.insert(arguments.end(), {"--broker-tls-cert", tls.cert, "--broker-tls-key", tls.key});
  }
  if (const std::string& token = options_.proxy.broker_token_file; !token.empty()) {
    arguments.insert(arguments.end(), {"--broker-token-file", token});
  }
  if (!options_.log_level.empty()) arguments.insert(arguments.end(), {"--log-level", options_.log_level});
  if (!options_.log_format.empty()) arguments.insert(arguments.end(), {"--log-format", options_.log_format});
  if (options_.proxy.workers > 0) {
    arguments.insert(arguments.end(), {"--workers", absl::StrCat(options_.proxy.workers)});
  }
  return arguments;
}

// As configured, with the ports that were bound.
std::vector<std::string> Supervisor::BrokerListen() const {
  std::vector<std::string> listen = options_.broker.listen;
  const std::vector<std::string> bound = absl::StrSplit(broker_.daemon.address("grpc"), ',');
  if (bound.size() != listen.size()) return listen;  // not started yet, or a comma in the path of a socket
  for (size_t i = 0; i < listen.size(); ++i) listen[i] = KeepPort(listen[i], bound[i]);
  return listen;
}

// A socket where there is one: it needs neither token nor certificate. Its path is not read from the ready line, where
// a space would end it.
std::string Supervisor::BrokerAddress() const {
  for (const std::string& address : options_.broker.listen) {
    if (address.starts_with("unix:")) return address;
  }
  const std::string& bound = broker_.daemon.address("grpc");
  return Connectable(bound.substr(0, bound.find(',')));
}

ServiceAddresses Supervisor::Addresses() const {
  return {BrokerAddress(),
          Connectable(broker_.daemon.address("metrics")),
          Connectable(proxy_.daemon.address("http")),
          Connectable(proxy_.daemon.address("metrics")),
          options_.files.config_path(),
          BrokerListen()};
}

bool WriteReport(int fd, const StartReport& report) {
  const std::string text =
      absl::StrCat(report.exit_code, "\n", report.ok() ? EncodeAddresses(report.addresses) : report.error);
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(fd);
  return written;
}

StartReport ReadReport(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t count = 0; (count = read(fd, buffer, sizeof buffer)) != 0;) {
    if (count > 0) text.append(buffer, static_cast<size_t>(count));
    if (count < 0 && errno != EINTR) break;
  }
  const size_t end = text.find('\n');
  if (end == std::string::npos) return {1, "the supervisor ended without a word\n", {}};
  StartReport report{text[0] - '0', "", {}};
  if (!report.ok()) report.error = text.substr(end + 1);
  if (report.ok()) report.addresses = DecodeAddresses(text.substr(end + 1)).value_or(ServiceAddresses{});
  return report;
}

// Becomes a process that nothing of its starter's terminal reaches, with the pipe `report` as its only open file.
int Detach(int report) {
  setsid();
  report = fcntl(report, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int null = open("/dev/null", O_RDWR);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, fd);
  constexpr int kKept = STDERR_FILENO + 1;
  dup2(report, kKept);
  fcntl(kKept, F_SETFD, FD_CLOEXEC);
  close_range(kKept + 1, ~0U, 0);
  return kKept;
}

}  // namespace

absl::Duration RestartBackoff(int failures) {
  return std::min(absl::Milliseconds(100) * (1 << std::clamp(failures - 1, 0, 10)), absl::Seconds(5));
}

int Supervise(const SupervisorOptions& options, const std::function<bool(const StartReport&)>& report) {
  return Supervisor(options, report).Run();
}

StartReport SuperviseInBackground(const SupervisorOptions& options) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {1, absl::StrCat("pipe: ", std::strerror(errno), "\n"), {}};
  const pid_t middle = fork();
  if (middle == 0) {
    if (fork() != 0) _exit(0);  // so that init, not the starter, is the supervisor's parent
    const int fd = Detach(ends[1]);
    _exit(Supervise(options, [fd](const StartReport& report) { return WriteReport(fd, report); }));
  }
  close(ends[1]);
  waitpid(middle, nullptr, 0);
  const StartReport report = ReadReport(ends[0]);
  close(ends[0]);
  return report;
}

}  // namespace ccr::cli

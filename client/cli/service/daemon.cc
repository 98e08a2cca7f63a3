#include "client/cli/service/daemon.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "broker/base/absl_text.h"
#include "client/cli/text.h"

namespace ccr::cli {
namespace {

constexpr size_t kRecentLines = 20;
constexpr size_t kLongestLine = 64 * 1024;

constexpr std::array<std::string_view, 16> kPlain = {
    "PATH", "HOME", "USER",   "LOGNAME",  "LANG",     "LANGUAGE",    "TZ",          "TZDIR",
    "PWD",  "TERM", "TMPDIR", "NO_PROXY", "no_proxy", "RES_OPTIONS", "LOCALDOMAIN", "HOSTALIASES"};
constexpr std::array<std::string_view, 5> kPlainPrefixes = {"LC_", "LD_", "MALLOC_", "GRPC_", "SSL_CERT_"};

std::vector<std::string> OwnEnvironment() {
  std::vector<std::string> all;
  for (char** variable = environ; *variable != nullptr; ++variable) all.emplace_back(*variable);
  return all;
}

// Logs are best effort: a full disk must not stop the service.
void WriteLine(int fd, const std::string& line) {
  const std::string text = line + "\n";
  [[maybe_unused]] const ssize_t ignored = write(fd, text.data(), text.size());
}

void ResetSignals() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGPIPE, SIGCHLD, SIGHUP, SIGINT, SIGTERM}) std::signal(number, SIG_DFL);
}

std::optional<ReadyAddresses> ParseReadyJson(std::string_view name, std::string_view line) {
  boost::json::error_code failed;
  const boost::json::value parsed = boost::json::parse({line.data(), line.size()}, failed);
  const boost::json::object* object = parsed.if_object();
  if (failed || object == nullptr) return std::nullopt;
  ReadyAddresses fields;
  for (const auto& [key, value] : *object) {
    if (value.is_string()) fields[std::string(key)] = std::string(value.get_string());
  }
  if (fields["event"] != "ready" || fields["program"] != name) return std::nullopt;
  return fields;
}

}  // namespace

std::optional<ReadyAddresses> ParseReadyLine(std::string_view name, std::string_view line) {
  if (line.starts_with('{')) return ParseReadyJson(name, line);
  const std::string start = absl::StrCat(ToAbsl(name), " ready:");
  if (line.substr(0, start.size()) != start) return std::nullopt;
  ReadyAddresses addresses;
  for (const absl::string_view word : absl::StrSplit(ToAbsl(line.substr(start.size())), ' ', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> field = absl::StrSplit(word, absl::MaxSplits('=', 1));
    addresses[field.first] = field.second;
  }
  return addresses;
}

std::string DescribeExit(int wait_status) {
  if (!WIFSIGNALED(wait_status)) return absl::StrCat("exit status ", WEXITSTATUS(wait_status));
  return absl::StrCat("signal ", WTERMSIG(wait_status), " (", strsignal(WTERMSIG(wait_status)), ")");
}

std::vector<std::string> PlainEnvironment(const std::vector<std::string>& environment) {
  std::vector<std::string> plain;
  std::copy_if(environment.begin(), environment.end(), std::back_inserter(plain), [](const std::string& variable) {
    const std::string_view name = std::string_view(variable).substr(0, variable.find('='));
    return std::any_of(kPlain.begin(), kPlain.end(), [name](std::string_view one) { return name == one; }) ||
           std::any_of(kPlainPrefixes.begin(), kPlainPrefixes.end(),
                       [name](std::string_view prefix) { return name.starts_with(prefix); }) ||
           name.ends_with("SAN_OPTIONS");
  });
  return plain;
}

Daemon::Daemon(std::string name, std::string binary, bool echo, Environment environment, LogFormat format)
    : name_(std::move(name)), binary_(std::move(binary)), echo_(echo), environment_(environment), format_(format) {}

Daemon::~Daemon() {
  ClosePipe();
  if (log_ >= 0) close(log_);
}

absl::Status Daemon::OpenLog(const std::string& path) {
  const int opened = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (opened < 0) return absl::InternalError(absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
  if (log_ >= 0) close(log_);
  log_ = opened;
  return absl::OkStatus();
}

absl::Status Daemon::Spawn(const std::vector<std::string>& arguments) {
  ClosePipe();
  ready_ = false;
  recent_.clear();
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::InternalError(absl::StrCat("pipe: ", std::strerror(errno)));
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) Exec(arguments, ends[1], parent);
  const int error = errno;
  close(ends[1]);
  fd_ = ends[0];
  if (pid_ > 0) return absl::OkStatus();
  pid_ = 0;
  return absl::InternalError(absl::StrCat("cannot start ", name_, ": ", std::strerror(error)));
}

void Daemon::Exec(const std::vector<std::string>& arguments, int output, pid_t parent) const {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // it died before the line above
  ResetSignals();
  dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  std::vector<char*> argv = Pointers(arguments);
  argv.insert(argv.begin(), const_cast<char*>(binary_.c_str()));
  const std::vector<std::string> plain = PlainEnvironment(OwnEnvironment());
  execve(binary_.c_str(), argv.data(), environment_ == Environment::kPlain ? Pointers(plain).data() : environ);
  WriteLine(STDERR_FILENO, absl::StrCat("cannot run ", binary_, ": ", std::strerror(errno)));
  _exit(127);
}

void Daemon::ReadOutput() {
  char buffer[16 * 1024];
  while (fd_ >= 0) {
    const ssize_t count = read(fd_, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return;
    if (count == 0) return ClosePipe();
    partial_.append(buffer, static_cast<size_t>(count));
    size_t end = 0;
    while ((end = partial_.find('\n')) != std::string::npos) {
      TakeLine(partial_.substr(0, end));
      partial_.erase(0, end + 1);
    }
    if (partial_.size() > kLongestLine) TakeLine(std::exchange(partial_, {}));
  }
}

void Daemon::TakeLine(const std::string& line) {
  if (log_ >= 0) WriteLine(log_, line);
  if (echo_) WriteLine(STDERR_FILENO, line);
  recent_.push_back(line);
  if (recent_.size() > kRecentLines) recent_.pop_front();
  if (std::optional<ReadyAddresses> addresses = ParseReadyLine(name_, line)) {
    addresses_ = *std::move(addresses);
    ready_ = true;
  }
}

void Daemon::OnExit(int wait_status) {
  ReadOutput();
  ClosePipe();
  pid_ = 0;
  exit_status_ = wait_status;
}

void Daemon::ClosePipe() {
  if (!partial_.empty()) TakeLine(std::exchange(partial_, {}));
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void Daemon::Signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

void Daemon::Note(const std::string& line) {
  const std::string text = format_ == LogFormat::kJson
                               ? JsonNotice(LogLevel::kWarn, "ccr", line)
                               : absl::StrCat(absl::FormatTime(absl::Now(), absl::UTCTimeZone()), " ccr: ", line);
  if (log_ >= 0) WriteLine(log_, text);
  if (echo_) WriteLine(STDERR_FILENO, text);
}

const std::string& Daemon::address(std::string_view key) const {
  static const std::string none;
  const auto found = addresses_.find(key);
  return found == addresses_.end() ? none : found->second;
}

std::string Daemon::RecentLines() const {
  std::string text;
  for (const std::string& line : recent_) absl::StrAppend(&text, line, "\n");
  return text;
}

}  // namespace ccr::cli

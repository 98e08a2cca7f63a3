// One child process of the supervisor.
#pragma once

#include <sys/types.h>

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "broker/base/log.h"

namespace ccr::cli {

// What a daemon bound, by name: {"grpc", "127.0.0.1:50061"}, ...
using ReadyAddresses = std::map<std::string, std::string, std::less<>>;

// Reads "NAME ready: KEY=ADDRESS KEY=ADDRESS", or the same as a line of JSON (LogReady); nothing when `line` is another
// line.
std::optional<ReadyAddresses> ParseReadyLine(std::string_view name, std::string_view line);

// "exit status 1", "signal 9 (Killed)"
std::string DescribeExit(int wait_status);

// Of "NAME=VALUE" what a program needs that reads no configuration: paths, language, time zone, certificates, and how
// its libraries behave. Keys, wherever a configuration may take them from, are not among it.
std::vector<std::string> PlainEnvironment(const std::vector<std::string>& environment);

// Runs a program whose stdout and stderr come back through a pipe. Each line goes to a log file; the ready line is
// read; the latest lines are kept, to explain a failed start. The child has its own process group, so a Ctrl-C at the
// terminal reaches the supervisor only, and it is killed when the supervisor dies. Single-threaded.
class Daemon {
 public:
  enum class Environment { kAll, kPlain };
  // With `echo`, lines go to this process's stderr too.
  Daemon(std::string name, std::string binary, bool echo, Environment environment, LogFormat format);
  ~Daemon();  // does not end the child
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Appends to `path` from now on, mode 0600; again, after the file was moved away, makes it anew. What was open stays
  // open when that fails.
  absl::Status OpenLog(const std::string& path);

  absl::Status Spawn(const std::vector<std::string>& arguments);

  // Takes what the pipe holds; never blocks.
  void ReadOutput();

  // The child was reaped with this status.
  void OnExit(int wait_status);

  void Signal(int number) const;

  // A line of the supervisor's own for the log, a warning, in the format of the daemon's.
  void Note(const std::string& line);

  const std::string& name() const { return name_; }
  bool running() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }
  int fd() const { return fd_; }                           // to poll for input; -1 when closed
  bool ready() const { return ready_; }                    // since the latest Spawn
  int exit_status() const { return exit_status_; }         // a wait status; of the latest child that ended
  const std::string& address(std::string_view key) const;  // of the latest ready line; empty when unknown
  std::string RecentLines() const;                         // since the latest Spawn, newline after each

 private:
  [[noreturn]] void Exec(const std::vector<std::string>& arguments, int output, pid_t parent) const;
  void TakeLine(const std::string& line);
  void ClosePipe();

  const std::string name_;
  const std::string binary_;
  const bool echo_;
  const Environment environment_;
  const LogFormat format_;
  int log_ = -1;
  int fd_ = -1;
  pid_t pid_ = 0;
  bool ready_ = false;
  int exit_status_ = 0;
  ReadyAddresses addresses_;
  std::string partial_;  // a line whose end has not come yet
  std::deque<std::string> recent_;
};

}  // namespace ccr::cli

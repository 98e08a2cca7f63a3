// The files by which `ccr` finds the service it started. All of them lie in one folder: beside the configuration file,
// or where --run-dir says; where the configuration's folder cannot be written, in $XDG_STATE_HOME/ccr/NAME
// (~/.local/state/ccr/NAME), NAME a hash of the configuration's path.
//   .claude-code-router.pid    the supervisor's pid; locked by it as long as it lives
//   .claude-code-router.addr   the addresses really bound and the configuration file, as JSON
//   .claude-code-router.sessions  which service `ccr code` started, and its sessions (session_lock.h)
//   logs/NAME.log              what each daemon writes, mode 0600
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace ccr::cli {

// Where the service listens, each "HOST:PORT" (or "unix:PATH" for the broker).
struct ServiceAddresses {
  std::string broker;
  std::string broker_metrics;
  std::string http;
  std::string metrics;                          // of the proxy
  std::string config = {};                      // the configuration file, absolute
  std::vector<std::string> broker_listen = {};  // all of the broker's addresses, with the ports that were bound

  bool operator==(const ServiceAddresses&) const = default;
};

std::string EncodeAddresses(const ServiceAddresses& addresses);  // a JSON object
std::optional<ServiceAddresses> DecodeAddresses(std::string_view json);

// An address to connect to from one to listen on: "every interface" becomes loopback.
std::string Connectable(std::string_view address);

class ServiceFiles {
 public:
  explicit ServiceFiles(const std::string& config_path, const std::string& run_dir = "");

  const std::string& config_path() const { return config_path_; }  // absolute
  const std::string& folder() const { return folder_; }            // absolute
  bool beside_config() const;

  // Makes the folder and those above it, mode 0700, where they are missing.
  absl::Status MakeFolder() const;
  std::string pid_path() const { return folder_ + "/.claude-code-router.pid"; }
  std::string addr_path() const { return folder_ + "/.claude-code-router.addr"; }
  std::string sessions_path() const { return folder_ + "/.claude-code-router.sessions"; }
  std::string log_folder() const { return folder_ + "/logs"; }
  std::string log_path(std::string_view daemon) const { return log_folder() + "/" + std::string(daemon) + ".log"; }

  // Replaces the file in one step.
  absl::Status WriteAddresses(const ServiceAddresses& addresses) const;
  std::optional<ServiceAddresses> ReadAddresses() const;
  void RemoveAddresses() const;

 private:
  std::string config_path_;
  std::string folder_;
};

struct RunningService {
  pid_t pid = 0;                 // 0: alive, but in another pid namespace (a container)
  absl::Time since;              // when it started
  std::string config_path = {};  // empty: it is starting, or of an older release
};

// The live supervisor, or nothing. The kernel is asked who holds the lock of the pid file, so a file left by a killed
// process, whoever has its pid now, is never taken for a running service.
std::optional<RunningService> FindRunning(const ServiceFiles& files);

// OK when a command for `files` may go on. PermissionDenied names the pid file that is another user's, or the folder or
// configuration that this user may not look at, so that nobody knows whether a service runs there; FailedPrecondition
// names the configuration with which the service of this folder runs, when that is another one.
absl::Status CheckUsable(const ServiceFiles& files);

// The pid file while this process is the supervisor. The lock belongs to the process: take it after the last fork, and
// open the file nowhere else in it.
class PidFile {
 public:
  // AlreadyExists when another supervisor lives.
  static absl::StatusOr<PidFile> Acquire(const ServiceFiles& files);

  PidFile(PidFile&& other) noexcept;
  PidFile& operator=(PidFile&&) = delete;
  ~PidFile();  // removes the file, then unlocks

 private:
  PidFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  std::string path_;
  int fd_;
};

}  // namespace ccr::cli

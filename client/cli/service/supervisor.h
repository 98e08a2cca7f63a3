// Keeps ccr-broker and ccr-proxy running: starts them in order, restarts one that dies, stops them in order.
//
// Signals to the supervisor:
//   SIGTERM, SIGINT  the proxy drains and ends, then the broker; a second one kills both
//   SIGHUP           opens the log files anew, and is passed on to the broker: reload
#pragma once

#include <functional>
#include <string>

#include "absl/time/time.h"
#include "broker/config/config.h"
#include "client/cli/service/service_files.h"

namespace ccr::cli {

struct SupervisorOptions {
  ServiceFiles files;
  std::string bin_folder;  // where ccr-broker and ccr-proxy are
  BrokerConfig broker;
  ProxyConfig proxy;
  std::string state_dir = {};                        // of the broker; empty = as configured
  std::string log_level = {}, log_format = {};       // of the proxy; empty = its own. The format is that of notes too
  bool echo = false;                                 // the daemons' lines on stderr too
  absl::Duration ready_timeout = absl::Seconds(30);  // of each daemon
};

// How a start went.
struct StartReport {
  int exit_code = 0;           // 0: both daemons are ready. 1: failed. 2: bad configuration
  std::string error;           // what the daemons said, and what became of them; lines
  ServiceAddresses addresses;  // when ready

  bool ok() const { return exit_code == 0; }
};

// Pause before the restart that follows `failures` (>= 1) quick deaths in a row: 0.1 s x 2^(failures - 1), at most 5 s.
absl::Duration RestartBackoff(int failures);

// Is the supervisor until the service has ended; returns the exit status. `report` is called once: when both daemons
// are ready, or after a failed start was cleaned up. When it returns false for a good start (nobody is left to hear
// it), the service is stopped again. Needs a process without other threads.
int Supervise(const SupervisorOptions& options, const std::function<bool(const StartReport&)>& report);

// Supervises in a new session in the background, and returns its report. The supervisor stays when it is ok.
StartReport SuperviseInBackground(const SupervisorOptions& options);

}  // namespace ccr::cli

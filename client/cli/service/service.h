// The commands about the service on this machine: start, stop, restart, status, reload.
//
// Each returns the exit status. Results go to `terminal.out`, what is wrong to `terminal.err`. 1, before anything is
// touched, when the service is another user's or runs with another configuration of the folder (CheckUsable).
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "broker/config/config.h"
#include "client/cli/broker_call.h"
#include "client/cli/service/service_files.h"
#include "client/cli/service/supervisor.h"
#include "client/cli/terminal.h"

namespace ccr::cli {

struct ServiceOptions {
  std::string config_path;
  std::string bin_folder;  // where ccr-broker and ccr-proxy are
  std::string broker;      // --broker; empty = the running service's, else the configuration's
  bool json = false;
  TlsFiles broker_tls = {};            // --broker-tls-*; none = the configuration's
  std::string broker_token_file = {};  // --broker-token-file; empty = the configuration's
  std::string run_dir = {};            // --run-dir; empty = see service_files.h
};

// 0: broker and proxy are ready. 1: they are not, or already were. 2: the configuration is wrong. In the foreground it
// returns when the service has ended.
int Start(const ServiceOptions& options, bool foreground, const Terminal& terminal);

// Waits for the end of the service: requests in flight may finish. 0 also when it was not running.
int Stop(const ServiceOptions& options, const Terminal& terminal);

// Checks the configuration before it stops anything.
int Restart(const ServiceOptions& options, const Terminal& terminal);

// Of --broker, of the service, or of a broker that something else runs where the configuration says. 0: running. 3: not
// running.
int Status(const ServiceOptions& options, const Terminal& terminal);

// Has the broker read its configuration again, and waits. 0: it is in effect. 2: refused, and nothing changed. 3: not
// running.
int Reload(const ServiceOptions& options, const Terminal& terminal);

// The parts of Start and Stop that say nothing when all is well.
//
// The configuration, or nothing: then its problems are on `terminal.err`. With `quiet`, warnings are kept back, and of
// the sources of keys only files are read.
std::optional<Config> LoadOrExplain(const ServiceOptions& options, bool quiet, const Terminal& terminal);
StartReport StartInBackground(const ServiceOptions& options, const Config& config);
// False, and why on `terminal.err`, when the service cannot be stopped from here.
bool StopAndWait(const ServiceFiles& files, const RunningService& service, const Terminal& terminal);
// Of the running service, waiting for it when it has only begun to start. NotFound when it does not run.
absl::StatusOr<ServiceAddresses> AwaitAddresses(const ServiceFiles& files);

ServiceFiles FilesOf(const ServiceOptions& options);

// Where the broker of the service has the master key that its configuration does not name.
MasterKeyPlace MasterKeyPlaceOf(const ServiceOptions& options);

// PermissionDenied, of CheckUsable, when the broker that nobody named is another user's.
absl::Status CheckAsked(const ServiceOptions& options);

// Where to find the broker: --broker, the running service, the configuration, the default.
BrokerTarget FindBroker(const ServiceOptions& options);
// A broker at `address`, reached as the options or the configuration say.
BrokerTarget BrokerAt(const std::string& address, const ServiceOptions& options);
// What to tell of the broker's open listeners, with the ports that were bound where these are known; empty: nothing.
std::string WarningOfOpenListeners(BrokerConfig config, const ServiceAddresses& addresses);
// Where a broker that runs on its own listens, the first address.
std::string ConfiguredBroker(const BrokerConfig& config);

}  // namespace ccr::cli

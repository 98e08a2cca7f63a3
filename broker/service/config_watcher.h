// Takes a changed configuration file into effect.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "broker/base/config.h"
#include "broker/base/mutex.h"
#include "broker/service/broker_service.h"

namespace ccr {

// Looks at the file once a second and reloads it when it changed and then held still; Reload() does it at once
// (SIGHUP), which is also the way to have changed key files read. A bad file is reported in full, and the old
// configuration stays. Thread-safe.
class ConfigWatcher {
 public:
  // The file as it is now is taken for loaded. `prepare` sees every good configuration before it takes effect (flags
  // win over the file).
  ConfigWatcher(std::string path, EnvLookup env, std::function<void(Config*)> prepare, BrokerService* service);
  ~ConfigWatcher();
  ConfigWatcher(const ConfigWatcher&) = delete;
  ConfigWatcher& operator=(const ConfigWatcher&) = delete;

  // True when the file was good and is in effect now.
  bool Reload();

 private:
  void Run();
  bool Changed(std::string* seen) CCR_REQUIRES(mutex_);
  std::string Stamp() const;  // changes when the file does

  const std::string path_;
  const EnvLookup env_;
  const std::function<void(Config*)> prepare_;
  BrokerService* const service_;
  Mutex reload_mutex_;  // taken before mutex_
  Mutex mutex_;
  std::string loaded_stamp_ CCR_GUARDED_BY(mutex_);  // of the file that was read last
  CondVar stop_;
  bool stopping_ CCR_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// Logs each problem: errors at error, warnings at warn.
void LogProblems(const std::vector<ConfigProblem>& problems);

}  // namespace ccr

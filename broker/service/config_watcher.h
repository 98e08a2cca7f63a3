// Takes a changed configuration file into effect.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "broker/base/mutex.h"
#include "broker/config/changes.h"
#include "broker/config/config.h"
#include "broker/config/key_sources.h"
#include "broker/service/broker_service.h"

namespace ccr {

// Looks at the file once a second and reloads it when it changed and then held still; Reload() does it at once
// (SIGHUP), and reads all sources of keys and master keys again. A bad file is reported in full, and the old configuration stays. What a
// good one changed is logged. Thread-safe.
class ConfigWatcher {
 public:
  // The file as it is now is taken for loaded. `prepare` sees every good configuration before it takes effect (flags
  // win over the file). `started` is the configuration in effect, `text` that of its file. `sources`, where keys that are
  // kept elsewhere come from, must outlive the watcher.
  ConfigWatcher(std::string path, EnvLookup env, std::function<void(Config*)> prepare, BrokerService* service,
                ConfigOutline started = {}, KeySources* sources = nullptr, Secret text = {},
                MasterKeyPlace master_key_place = {});
  ~ConfigWatcher();
  ConfigWatcher(const ConfigWatcher&) = delete;
  ConfigWatcher& operator=(const ConfigWatcher&) = delete;

  // Waits until the file is in effect or refused.
  ReloadReport Reload();

  // From now on `take` is given the identities of each configuration that takes effect, and those of the latest that has
  // at once. An empty one ends that: it is not called any more when this returns.
  void FollowIdentities(std::function<void(const std::vector<IdentityConfig>&)> take);

  // Reload on the watcher's thread: `done` is called there, once, at the latest by the destructor. One reading
  // answers all who asked before it began.
  void ReloadSoon(ReloadDone done);

  // A source of keys gives others: soon the configuration in effect takes them, whatever has become of its file.
  void TakeKeysSoon();

 private:
  enum class Cause { kAsked, kFile, kKeys };

  void Run();
  ReloadReport Reload(Cause cause);
  ReloadReport Read(Cause cause) CCR_REQUIRES(reload_mutex_);
  bool Changed(std::string* seen) CCR_REQUIRES(mutex_);
  std::string Stamp() const;  // changes when the file does

  const std::string path_;
  const EnvLookup env_;
  const MasterKeyPlace master_key_place_;
  const std::function<void(Config*)> prepare_;
  BrokerService* const service_;
  const ConfigOutline started_;
  KeySources* const sources_;  // may be null
  Mutex reload_mutex_;         // taken before mutex_
  ConfigOutline current_ CCR_GUARDED_BY(reload_mutex_);
  Secret text_ CCR_GUARDED_BY(reload_mutex_);  // of the file whose configuration is in effect; empty: not known
  std::function<void(const std::vector<IdentityConfig>&)> take_identities_ CCR_GUARDED_BY(reload_mutex_);
  std::optional<std::vector<IdentityConfig>> identities_ CCR_GUARDED_BY(reload_mutex_);  // set by the first reload
  Mutex mutex_;
  std::string loaded_stamp_ CCR_GUARDED_BY(mutex_);  // of the file that was read last
  std::vector<ReloadDone> asked_ CCR_GUARDED_BY(mutex_);
  bool keys_changed_ CCR_GUARDED_BY(mutex_) = false;
  CondVar wake_;
  bool stopping_ CCR_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // the last: it runs as soon as it is made
};

// Logs each problem: errors at error, warnings at warn.
void LogProblems(const std::vector<ConfigProblem>& problems);

}  // namespace ccr

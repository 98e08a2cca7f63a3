#include "broker/service/config_watcher.h"

#include <sys/stat.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/log.h"

namespace ccr {
namespace {

constexpr std::chrono::milliseconds kInterval(500);

}  // namespace

void LogProblems(const std::vector<ConfigProblem>& problems) {
  for (const ConfigProblem& problem : problems) {
    const bool error = problem.severity == ConfigProblem::Severity::kError;
    Log(error ? LogLevel::kError : LogLevel::kWarn, "config_problem", {{"problem", problem.ToString()}});
  }
}

ConfigWatcher::ConfigWatcher(std::string path, EnvLookup env, std::function<void(Config*)> prepare,
                             BrokerService* service)
    : path_(std::move(path)),
      env_(std::move(env)),
      prepare_(std::move(prepare)),
      service_(service),
      loaded_stamp_(Stamp()),
      thread_([this] { Run(); }) {}

ConfigWatcher::~ConfigWatcher() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

bool ConfigWatcher::Reload() {
  MutexLock reload_lock(reload_mutex_);
  {
    MutexLock lock(mutex_);
    loaded_stamp_ = Stamp();
  }
  ConfigResult loaded = LoadConfig(path_, env_);
  LogProblems(loaded.problems);
  bool ok = loaded.config.has_value();
  if (ok) {
    if (prepare_ != nullptr) prepare_(&*loaded.config);
    const absl::Status applied = service_->Apply(*std::move(loaded.config));
    if (!applied.ok()) Log(LogLevel::kError, "config_not_applied", {{"error", applied.ToString()}});
    ok = applied.ok();
  }
  service_->RecordReload(ok);
  if (ok) {
    Log(LogLevel::kInfo, "config_reloaded", {{"file", path_}});
  } else {
    Log(LogLevel::kError, "config_reload_failed", {{"file", path_}, {"effect", "the old configuration stays"}});
  }
  return ok;
}

void ConfigWatcher::Run() {
  std::string seen;
  bool stopping = false;
  while (!stopping) {
    bool changed = false;
    {
      MutexLock lock(mutex_);
      if (!stopping_) stop_.wait_for(mutex_, kInterval);
      stopping = stopping_;
      changed = !stopping && Changed(&seen);
    }
    if (changed) Reload();
  }
}

bool ConfigWatcher::Changed(std::string* seen) {
  const std::string now = Stamp();
  const bool settled = now == std::exchange(*seen, now);
  return settled && !now.empty() && now != loaded_stamp_;
}

std::string ConfigWatcher::Stamp() const {
  struct stat info = {};
  if (stat(path_.c_str(), &info) != 0) return "";
  return absl::StrCat(info.st_ino, ".", info.st_size, ".", info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec);
}

}  // namespace ccr

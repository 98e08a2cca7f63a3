#include "broker/service/config_watcher.h"

#include <sys/stat.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
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
                             BrokerService* service, ConfigOutline started, MasterKeyPlace master_key_place)
    : path_(std::move(path)),
      env_(std::move(env)),
      master_key_place_(std::move(master_key_place)),
      prepare_(std::move(prepare)),
      service_(service),
      started_(std::move(started)),
      current_(started_),
      loaded_stamp_(Stamp()),
      thread_([this] { Run(); }) {}

ConfigWatcher::~ConfigWatcher() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

ReloadReport ConfigWatcher::Reload() {
  MutexLock reload_lock(reload_mutex_);
  {
    MutexLock lock(mutex_);
    loaded_stamp_ = Stamp();
  }
  ReloadReport report = Read();
  service_->RecordReload(report);
  if (!report.accepted) {
    Log(LogLevel::kError, "config_reload_failed", {{"file", path_}, {"effect", "the old configuration stays"}});
    return report;
  }
  const std::string changes = report.changes.empty() ? "none" : absl::StrJoin(report.changes, "; ");
  Log(LogLevel::kInfo, "config_reloaded", {{"file", path_}, {"changes", changes}});
  if (!report.needs_restart.empty()) {
    Log(LogLevel::kWarn, "config_needs_restart", {{"fields", absl::StrJoin(report.needs_restart, ", ")}});
  }
  return report;
}

void ConfigWatcher::FollowIdentities(std::function<void(const std::vector<IdentityConfig>&)> take) {
  MutexLock lock(reload_mutex_);
  take_identities_ = std::move(take);
  if (take_identities_ && identities_) take_identities_(*identities_);
}

ReloadReport ConfigWatcher::Read() {
  ConfigResult loaded = LoadConfig(path_, env_, master_key_place_);
  LogProblems(loaded.problems);
  ReloadReport report{false, service_->Now(), std::move(loaded.problems), {}, {}};
  if (!loaded.config) return report;
  if (prepare_ != nullptr) prepare_(&*loaded.config);
  service_->NameKeys(&*loaded.config);
  ConfigOutline after(*loaded.config);
  std::vector<IdentityConfig> identities = loaded.config->broker.identities;
  const absl::Status applied = service_->Apply(*std::move(loaded.config));
  if (!applied.ok()) {
    Log(LogLevel::kError, "config_not_applied", {{"error", applied.ToString()}});
    report.problems.push_back({ConfigProblem::Severity::kError, path_, 0, "", "", applied.ToString()});
    return report;
  }
  identities_ = std::move(identities);
  if (take_identities_) take_identities_(*identities_);
  report.accepted = true;
  report.changes = current_.ChangesTo(after);
  report.needs_restart = started_.NeedRestart(after);
  current_ = std::move(after);
  return report;
}

void ConfigWatcher::ReloadSoon(ReloadDone done) {
  {
    MutexLock lock(mutex_);
    asked_.push_back(std::move(done));
  }
  wake_.notify_all();
}

void ConfigWatcher::Run() {
  std::string seen;
  bool stopping = false;
  while (!stopping) {
    bool changed = false;
    std::vector<ReloadDone> asked;
    {
      MutexLock lock(mutex_);
      if (!stopping_ && asked_.empty()) wake_.wait_for(mutex_, kInterval);
      stopping = stopping_;
      asked.swap(asked_);
      changed = !stopping && asked.empty() && Changed(&seen);
    }
    if (!changed && asked.empty()) continue;
    ReloadReport report;
    if (!stopping) report = Reload();
    for (const ReloadDone& done : asked) done(report);
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

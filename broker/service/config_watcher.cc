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
                             BrokerService* service, ConfigOutline started, KeySources* sources, Secret text,
                             MasterKeyPlace master_key_place)
    : path_(std::move(path)),
      env_(std::move(env)),
      master_key_place_(std::move(master_key_place)),
      prepare_(std::move(prepare)),
      service_(service),
      started_(std::move(started)),
      sources_(sources),
      current_(started_),
      text_(std::move(text)),
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
  return Reload(Cause::kAsked);
}

ReloadReport ConfigWatcher::Reload(Cause cause) {
  MutexLock reload_lock(reload_mutex_);
  if (cause != Cause::kKeys) {
    MutexLock lock(mutex_);
    loaded_stamp_ = Stamp();
  }
  ReloadReport report = Read(cause);
  const std::optional<ReloadReport> last = service_->last_reload();
  const bool file_is_refused = last && !last->accepted;
  // That the file is refused stays to be seen.
  if (cause != Cause::kKeys || !file_is_refused) service_->RecordReload(report);
  if (!report.accepted) {
    Log(LogLevel::kError, "config_reload_failed", {{"file", path_}, {"effect", "the old configuration stays"}});
    if (cause != Cause::kKeys && sources_ != nullptr && sources_->HasNews()) TakeKeysSoon();
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

ReloadReport ConfigWatcher::Read(Cause cause) {
  if (sources_ != nullptr && cause == Cause::kAsked) sources_->Expire();
  const bool from_text = cause == Cause::kKeys && !text_.empty();
  ConfigResult loaded = from_text ? ParseConfig(text_.Reveal(), path_, env_, sources_, master_key_place_)
                                  : LoadConfig(path_, env_, sources_, master_key_place_);
  LogProblems(loaded.problems);
  ReloadReport report{false, service_->Now(), std::move(loaded.problems), {}, {}};
  if (!loaded.config) return report;
  if (prepare_ != nullptr) prepare_(&*loaded.config);
  service_->NameKeys(&*loaded.config);
  ConfigOutline after(*loaded.config);
  std::vector<IdentityConfig> identities = loaded.config->broker.identities;
  const std::vector<SecretSource> sources = std::move(loaded.config->sources);
  const absl::Status applied = service_->Apply(*std::move(loaded.config));
  if (!applied.ok()) {
    Log(LogLevel::kError, "config_not_applied", {{"error", applied.ToString()}});
    report.problems.push_back({ConfigProblem::Severity::kError, path_, 0, "", "", applied.ToString()});
    return report;
  }
  if (sources_ != nullptr) sources_->Follow(sources);
  if (!from_text) text_ = std::move(loaded.text);
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

void ConfigWatcher::TakeKeysSoon() {
  {
    MutexLock lock(mutex_);
    keys_changed_ = true;
  }
  wake_.notify_all();
}

void ConfigWatcher::Run() {
  std::string seen;
  bool stopping = false;
  while (!stopping) {
    std::optional<Cause> cause;
    std::vector<ReloadDone> asked;
    {
      MutexLock lock(mutex_);
      if (!stopping_ && asked_.empty() && !keys_changed_) wake_.wait_for(mutex_, kInterval);
      stopping = stopping_;
      asked.swap(asked_);
      if (!stopping && std::exchange(keys_changed_, false)) cause = Cause::kKeys;
      if (!stopping && asked.empty() && Changed(&seen)) cause = Cause::kFile;
      if (!asked.empty()) cause = Cause::kAsked;
    }
    if (!cause) continue;
    ReloadReport report;
    if (!stopping) report = Reload(*cause);
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

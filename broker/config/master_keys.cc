#include "broker/config/master_keys.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/file_content.h"
#include "broker/base/master_key_file.h"
#include "broker/base/program.h"

namespace ccr {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxKeyText = 1024;  // as much as is locked in memory when a program gives it
constexpr absl::Duration kProgramTime = absl::Seconds(10);

absl::Status About(const MasterKeySource& source, const absl::Status& status) {
  return {status.code(), absl::StrCat("the master key of ", source.Name(), " ", status.message())};
}

// Mode 0700; those above it too, where they are missing.
absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  if (fs::create_directories(path, error)) fs::permissions(path, fs::perms::owner_all, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot make the state folder ", path, ": ", error.message()));
}

}  // namespace

std::string MasterKeySource::Name() const {
  if (kind == Kind::kFile) return absl::StrCat("{file: ", path, "}");
  if (kind == Kind::kCredential) return absl::StrCat("{credential: ", path, "}");
  return absl::StrCat("{exec: [", argv.empty() ? "" : argv[0], argv.size() > 1 ? ", ...]}" : "]}");
}

MasterKeys::MasterKeys(std::vector<MasterKeySource> sources, std::string state_dir, std::string folder, Variable env,
                       Sealer::Random random)
    : sources_(std::move(sources)),
      state_dir_(std::move(state_dir)),
      folder_(std::move(folder)),
      env_(std::move(env)),
      random_(std::move(random)) {}

MasterKeys::SealerResult MasterKeys::ToOpen() const {
  MutexLock lock(mutex_);
  return ToOpenLocked();
}

MasterKeys::SealerResult MasterKeys::ToSeal() const {
  MutexLock lock(mutex_);
  const SealerResult there = ToOpenLocked();
  if (!sources_.empty() || !absl::IsNotFound(there.status())) return there;
  if (const absl::Status made = MakeFolder(state_dir_); !made.ok()) return made;
  const absl::Status made = MakeMasterKeyFile(default_path(), random_);
  if (!made.ok() && !absl::IsAlreadyExists(made)) return made;
  sealer_.reset();
  return ToOpenLocked();
}

MasterKeys::SealerResult MasterKeys::ToOpenLocked() const {
  if (!sealer_) sealer_ = Read();
  return *sealer_;
}

MasterKeys::SealerResult MasterKeys::Read() const {
  std::vector<Secret> keys;
  if (sources_.empty()) {
    absl::StatusOr<Secret> key = ReadMasterKeyFile(default_path());
    if (absl::IsNotFound(key.status())) {
      return absl::NotFoundError(
          absl::StrCat("there is no master key: ", default_path(),
                       " is made when a first key is sealed here; where keys were sealed elsewhere, copy its master "
                       "key to that file, or name it with Broker.master_key"));
    }
    if (!key.ok()) return key.status();
    keys.push_back(*std::move(key));
  }
  for (const MasterKeySource& source : sources_) {
    absl::StatusOr<Secret> key = ReadOne(source);
    if (!key.ok()) return key.status();
    keys.push_back(*std::move(key));
  }
  absl::StatusOr<Sealer> sealer = Sealer::Make(std::move(keys), random_);
  if (!sealer.ok()) {
    return absl::Status(sealer.status().code(), absl::StrCat("Broker.master_key: ", sealer.status().message()));
  }
  return std::make_shared<const Sealer>(*std::move(sealer));
}

absl::StatusOr<Secret> MasterKeys::ReadOne(const MasterKeySource& source) const {
  if (source.kind == MasterKeySource::Kind::kExec) return RunProgram(source);
  if (source.kind == MasterKeySource::Kind::kCredential) return ReadCredential(source);
  absl::StatusOr<Secret> key = ReadMasterKeyFile(source.path);
  if (!absl::IsNotFound(key.status())) return key;
  return absl::NotFoundError(absl::StrCat(key.status().message(), ": make one with ccr key seal --new-master-key ",
                                          source.path, ", or put the one back with which keys were sealed"));
}

absl::StatusOr<Secret> MasterKeys::RunProgram(const MasterKeySource& source) const {
  Program program{source.argv, {}, folder_, kProgramTime, kMaxKeyText};
  for (const char* name : {"PATH", "HOME"}) {
    if (const std::optional<std::string> value = env_(name)) {
      program.environment.push_back(absl::StrCat(name, "=", *value));
    }
  }
  const absl::StatusOr<ProgramEnd> end = ccr::RunProgram(program, StopEvent());
  const absl::Status verdict = end.ok() ? VerdictOf(*end) : end.status();
  if (!verdict.ok())
    return About(source, absl::Status(verdict.code(), absl::StrCat(verdict.message(), ": run it yourself to see why")));
  absl::StatusOr<Secret> key = DecodeMasterKey(end->out.Reveal());
  if (key.ok()) return key;
  return About(source, key.status());
}

// Who may read it is systemd's care.
absl::StatusOr<Secret> MasterKeys::ReadCredential(const MasterKeySource& source) const {
  const std::optional<std::string> folder = env_("CREDENTIALS_DIRECTORY");
  if (!folder || folder->empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the master key of ", source.Name(), " is known only to a systemd service that has LoadCredential=",
        source.path, ":FILE or LoadCredentialEncrypted=: CREDENTIALS_DIRECTORY is not set here"));
  }
  const absl::StatusOr<FileContent> content = ReadFileContent((fs::path(*folder) / source.path).string(), kMaxKeyText);
  absl::StatusOr<Secret> key = content.ok() ? DecodeMasterKey(content->text.Reveal()) : content.status();
  if (key.ok()) return key;
  return About(source, key.status());
}

}  // namespace ccr

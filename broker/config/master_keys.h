// The master keys with which keys are sealed, as a configuration names them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/base/mutex.h"
#include "broker/base/sealer.h"

namespace ccr {

// Where one master key is kept.
struct MasterKeySource {
  enum class Kind { kFile, kExec, kCredential };

  Kind kind = Kind::kFile;
  std::string path;               // kFile: absolute. kCredential: its name in $CREDENTIALS_DIRECTORY
  std::vector<std::string> argv;  // kExec: writes the key as such a file holds it

  // For messages and descriptions, without the program's arguments: {file: PATH}, {exec: [PROGRAM, ...]},
  // {credential: NAME}.
  std::string Name() const;
};

// The master keys of one configuration: the first seals, all open. Read when they are first needed, once, so that a
// program is not run for those who need none; what went wrong then is told to all who ask later. Thread-safe.
class MasterKeys {
 public:
  using Variable = std::function<std::optional<std::string>(const std::string& name)>;  // of the environment
  using SealerResult = absl::StatusOr<std::shared_ptr<const Sealer>>;

  // Without `sources` the master key is STATE_DIR/master.key. Programs run in `folder`, with PATH and HOME of `env`,
  // for 10 s at most.
  MasterKeys(std::vector<MasterKeySource> sources, std::string state_dir, std::string folder, Variable env,
             Sealer::Random random = RandomBytes);

  // The message of an error names the source and what to do, and quotes nothing of it. NotFound: there is none yet.
  SealerResult ToOpen() const;
  // As ToOpen; but makes STATE_DIR/master.key, mode 0600, and its folder, mode 0700, when no source is named and it is
  // missing.
  SealerResult ToSeal() const;

  const std::vector<MasterKeySource>& sources() const { return sources_; }
  // STATE_DIR/master.key
  std::string default_path() const { return state_dir_ + "/master.key"; }

 private:
  absl::StatusOr<Secret> ReadOne(const MasterKeySource& source) const;
  absl::StatusOr<Secret> RunProgram(const MasterKeySource& source) const;
  absl::StatusOr<Secret> ReadCredential(const MasterKeySource& source) const;
  SealerResult Read() const;
  SealerResult ToOpenLocked() const CCR_REQUIRES(mutex_);

  const std::vector<MasterKeySource> sources_;
  const std::string state_dir_;
  const std::string folder_;
  const Variable env_;
  const Sealer::Random random_;
  mutable Mutex mutex_;
  mutable std::optional<SealerResult> sealer_ CCR_GUARDED_BY(mutex_);
};

}  // namespace ccr

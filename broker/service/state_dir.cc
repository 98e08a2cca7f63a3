#include "broker/service/state_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "broker/base/private_path.h"

namespace ccr {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kBetweenTries = absl::Milliseconds(20);

absl::Status MakePrivate(const std::string& path) {
  std::error_code error;
  if (fs::create_directories(path, error)) fs::permissions(path, fs::perms::owner_all, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot make the state folder ", path, ": ", error.message()));
}

absl::Status Lock(int fd, const std::string& path, absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  while (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (fd < 0 || (errno != EWOULDBLOCK && errno != EINTR)) {
      return absl::UnavailableError(absl::StrCat("cannot lock the state folder ", path, ": ", std::strerror(errno)));
    }
    if (absl::Now() >= deadline) {
      return absl::FailedPreconditionError(
          absl::StrCat("another ccr-broker uses the state folder ", AbsolutePath(path),
                       "; stop that one, or give this one a folder of its own with --state-dir"));
    }
    absl::SleepFor(kBetweenTries);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<StateDir> StateDir::Open(const std::string& path, absl::Duration patience) {
  if (const absl::Status made = MakePrivate(path); !made.ok()) return made;
  if (const absl::Status kept = CheckPrivateFolder(path); !kept.ok()) return kept;
  const int fd = open((fs::path(path) / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  absl::Cleanup close_it = [fd] { close(fd); };
  if (const absl::Status locked = Lock(fd, path, patience); !locked.ok()) return locked;
  absl::StatusOr<Secret> salt = Fingerprinter::LoadOrCreateSalt((fs::path(path) / "fingerprint.salt").string());
  if (!salt.ok()) return salt.status();
  std::move(close_it).Cancel();
  return StateDir(fd, *std::move(salt));
}

StateDir::~StateDir() {
  if (lock_ >= 0) close(lock_);
}

}  // namespace ccr

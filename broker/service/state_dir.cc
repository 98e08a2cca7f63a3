#include "broker/service/state_dir.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace ccr {

absl::StatusOr<Secret> OpenStateDir(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::create_directories(path, error)) fs::permissions(path, fs::perms::owner_all, error);
  if (error) return absl::UnavailableError(absl::StrCat("cannot make the state folder ", path, ": ", error.message()));
  return Fingerprinter::LoadOrCreateSalt((fs::path(path) / "fingerprint.salt").string());
}

}  // namespace ccr

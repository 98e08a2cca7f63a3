#include "broker/base/private_path.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace ccr {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;

bool IsOwn(uid_t uid) {
  return uid == 0 || uid == geteuid();
}

absl::Status Denied(const std::string& path, std::string_view what) {
  return absl::PermissionDeniedError(absl::StrCat(path, " ", std::string(what)));
}

std::string Absolute(const std::string& path) {
  std::error_code error;
  const fs::path canonical = fs::weakly_canonical(path, error);
  return error ? AbsolutePath(path) : canonical.string();
}

// Nothing when it is missing.
absl::StatusOr<std::optional<struct stat>> Look(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) == 0) return info;
  if (errno == ENOENT) return std::nullopt;
  return Denied(path, absl::StrCat("cannot be reached: ", std::strerror(errno),
                                   errno == EACCES ? "; it belongs to another user's service" : ""));
}

// Whether strangers can replace a folder of `owner` that lies in `above`.
bool Replaceable(const struct stat& above, uid_t owner) {
  if (IsOwn(owner)) return (above.st_mode & S_IWOTH) && !(above.st_mode & S_ISVTX);
  return (above.st_mode & kOthersWrite) || (above.st_uid != owner && !IsOwn(above.st_uid));
}

// No stranger can put another folder in the place of `folder`, which belongs to `owner`.
absl::Status CheckWayTo(const std::string& folder, uid_t owner) {
  for (fs::path above = fs::path(folder).parent_path();; above = above.parent_path()) {
    const auto info = Look(above.string());
    if (!info.ok()) return info.status();
    if (*info && Replaceable(**info, owner)) {
      return Denied(folder, absl::StrCat("is not safe: other users can replace what lies in ", above.string()));
    }
    if (above == above.root_path()) return absl::OkStatus();
  }
}

absl::Status CheckSocket(const std::string& path, const struct stat& socket, const struct stat& folder) {
  if (!S_ISSOCK(socket.st_mode)) return Denied(path, "is no socket");
  const bool sticky = (folder.st_mode & kOthersWrite) != 0;
  if (!IsOwn(socket.st_uid) && (sticky || socket.st_uid != folder.st_uid)) {
    return Denied(path, absl::StrCat("belongs to another user (uid ", socket.st_uid, "): not connecting to it"));
  }
  if (access(path.c_str(), W_OK) == 0) return absl::OkStatus();
  return Denied(path, absl::StrCat("is not for this user (uid ", geteuid(), "), but for uid ", socket.st_uid));
}

}  // namespace

std::string AbsolutePath(const std::string& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  return (error ? fs::path(path) : absolute).lexically_normal().string();
}

std::string UnixPath(std::string_view address) {
  constexpr std::string_view kPrefix = "unix:";
  return address.starts_with(kPrefix) ? std::string(address.substr(kPrefix.size())) : "";
}

absl::Status CheckPrivateFolder(const std::string& folder, bool allow_sticky) {
  const std::string path = Absolute(folder);
  const auto info = Look(path);
  if (!info.ok()) return info.status();
  if (!*info) return absl::NotFoundError(absl::StrCat("the folder ", path, " does not exist"));
  const bool sticky = ((*info)->st_mode & S_ISVTX) != 0;
  if (((*info)->st_mode & kOthersWrite) && !(allow_sticky && sticky)) {
    return Denied(path, absl::StrCat("can be written by other users: run chmod go-w ", path));
  }
  if (IsOwn((*info)->st_uid) || geteuid() == 0) return absl::OkStatus();
  return Denied(path, absl::StrCat("belongs to another user (uid ", (*info)->st_uid, "): use a folder of your own"));
}

absl::Status CheckSocketPath(const std::string& path) {
  const std::string absolute = Absolute(path);
  const std::string folder = fs::path(absolute).parent_path().string();
  const auto home = Look(folder);
  if (!home.ok()) return home.status();
  const uid_t owner = *home ? (*home)->st_uid : geteuid();
  const bool others_write = *home && ((*home)->st_mode & kOthersWrite);
  if (const absl::Status way = CheckWayTo(folder, owner); !way.ok()) return way;
  const auto socket = Look(absolute);
  if (!socket.ok()) return socket.status();
  if (others_write && (!((*home)->st_mode & S_ISVTX) || !*socket)) {
    return Denied(folder, absl::StrCat("can be written by other users, who could answer in the broker's place: run "
                                       "chmod go-w ",
                                       folder));
  }
  return *socket ? CheckSocket(absolute, **socket, **home) : absl::OkStatus();
}

}  // namespace ccr

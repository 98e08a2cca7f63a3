#include "client/cli/config/config_writer.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "broker/base/file_content.h"

namespace ccr::cli {
namespace {

constexpr size_t kMaxConfigBytes = 16 << 20;
constexpr mode_t kOwnerMode = 0600;

absl::Status CannotWrite(const std::string& path, int error) {
  return absl::PermissionDeniedError(absl::StrCat("cannot write ", path, ": ", std::strerror(error)));
}

bool SameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

absl::Status SyncFolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return absl::OkStatus();  // it can be written, but not read: nothing to sync it by
  const bool synced = fsync(fd) == 0;
  close(fd);
  return synced ? absl::OkStatus() : CannotWrite(folder, errno);
}

bool WriteWhole(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR) return false;
    if (written > 0) text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

absl::StatusOr<ConfigWriter> ConfigWriter::Open(const std::string& path) {
  while (true) {
    std::error_code error;
    const std::filesystem::path real = std::filesystem::canonical(path, error);
    const std::string name = error ? path : real.string();
    ConfigWriter file(name, open(name.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat present {};
    // Locked only when it is still the file at this path: a writer before us has replaced it otherwise.
    const bool locked = file.fd_ >= 0 && flock(file.fd_, LOCK_EX) == 0 && fstat(file.fd_, &file.info_) == 0;
    if (locked && (stat(name.c_str(), &present) != 0 || !SameFile(file.info_, present))) continue;
    absl::StatusOr<FileContent> content = ReadFileContent(name, kMaxConfigBytes);
    if (!content.ok()) {
      return absl::Status(content.status().code(), absl::StrCat(path, " ", content.status().message()));
    }
    if (!S_ISREG(file.info_.st_mode)) return absl::InvalidArgumentError(path + " is no regular file");
    file.text_ = std::move(content->text);
    return file;
  }
}

ConfigWriter::ConfigWriter(ConfigWriter&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      info_(other.info_),
      text_(std::move(other.text_)) {}

ConfigWriter::~ConfigWriter() {
  if (fd_ >= 0) close(fd_);
}

absl::Status ConfigWriter::Put(const std::string& path, const std::string& text) const {
  const std::string temporary = path + ".new";
  unlink(temporary.c_str());
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kOwnerMode);
  if (fd < 0) return CannotWrite(temporary, errno);
  absl::Cleanup discard = [&temporary] { unlink(temporary.c_str()); };
  const bool foreign = info_.st_uid != geteuid() || info_.st_gid != getegid();
  const bool owned = !foreign || fchown(fd, info_.st_uid, info_.st_gid) == 0 || info_.st_uid == geteuid();
  const bool written = owned && fchmod(fd, info_.st_mode & kOwnerMode) == 0 && WriteWhole(fd, text) && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  if (!written) return CannotWrite(path, error);
  const bool meant_for_file = path == path_;
  const absl::StatusOr<FileContent> now = ReadFileContent(path_, kMaxConfigBytes);
  if (meant_for_file && (!now.ok() || now->text.Reveal() != text_.Reveal())) {
    return absl::AbortedError(path_ + " was changed by somebody else meanwhile; nothing was written, try again");
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) return CannotWrite(path, errno);
  std::move(discard).Cancel();
  return SyncFolderOf(path);
}

absl::Status ConfigWriter::Replace(const std::string& text) {
  if (const absl::Status backed_up = Put(backup_path(), std::string(text_.Reveal())); !backed_up.ok()) return backed_up;
  return Put(path_, text);
}

}  // namespace ccr::cli

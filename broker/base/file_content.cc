#include "broker/base/file_content.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace ccr {
namespace {

absl::Status SystemError(int code) {
  if (code == ENOENT) return absl::NotFoundError("does not exist");
  if (code == EACCES) return absl::PermissionDeniedError("cannot be read: permission denied for this user");
  return absl::UnavailableError(absl::StrCat("cannot be read: ", std::strerror(code)));
}

constexpr size_t kReadBytes = 65536;

// Of a pipe whose writer takes his time.
bool HasMore(int fd) {
  constexpr int kPatienceMillis = 10'000;
  pollfd wait{fd, POLLIN, 0};
  return poll(&wait, 1, kPatienceMillis) > 0;
}

// Everything up to the end, or one byte more than allowed. Without a buffer of its own, which would keep secrets.
absl::Status ReadAll(int fd, size_t max_bytes, std::string* out) {
  while (out->size() <= max_bytes) {
    const size_t had = out->size();
    out->resize(std::min(max_bytes + 1, had + kReadBytes));
    const ssize_t got = read(fd, out->data() + had, out->size() - had);
    const int error = errno;
    out->resize(had + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && error == EINTR) continue;
    if (got < 0 && error == EAGAIN && HasMore(fd)) continue;
    if (got < 0 && error == EAGAIN) return absl::DeadlineExceededError("gives nothing to read for 10 s");
    if (got < 0) return SystemError(error);
    if (got == 0) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("is larger than ", max_bytes, " bytes"));
}

}  // namespace

// O_NONBLOCK: a named pipe that nobody writes to would hold up whoever opens it.
absl::StatusOr<FileContent> ReadFileContent(const std::string& path, size_t max_bytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return SystemError(errno);
  struct stat info = {};
  std::string text;
  absl::Status status = fstat(fd, &info) == 0 ? absl::OkStatus() : SystemError(errno);
  if (status.ok() && S_ISDIR(info.st_mode)) status = absl::InvalidArgumentError("is a folder: name the file in it");
  text.reserve(std::min(static_cast<size_t>(info.st_size), max_bytes) + 2 * kReadBytes);  // not moved while it grows
  if (status.ok()) status = ReadAll(fd, max_bytes, &text);
  close(fd);
  Secret content(std::move(text));
  if (!status.ok()) return status;
  return FileContent{std::move(content), S_ISREG(info.st_mode) ? info.st_mode & 07777 : mode_t{0600}, info.st_uid};
}

absl::StatusOr<Secret> ReadToEnd(int fd, size_t max_bytes) {
  std::string text;
  text.reserve(max_bytes + 2 * kReadBytes);  // not moved while it grows
  const absl::Status status = ReadAll(fd, max_bytes, &text);
  Secret content(std::move(text));
  if (!status.ok()) return status;
  return content;
}

}  // namespace ccr

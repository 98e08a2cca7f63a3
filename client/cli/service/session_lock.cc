#include "client/cli/service/session_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace ccr::cli {
namespace {

// Bytes of the file that stand for the two locks.
constexpr off_t kTransition = 0;
constexpr off_t kSession = 1;

// Of the open file, not of the process: conversion is atomic, and a second open file in one process conflicts too.
bool SetLock(int fd, int command, short type, off_t byte) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  int result = 0;
  while ((result = fcntl(fd, command, &lock)) != 0 && errno == EINTR) {
  }
  return result == 0;
}

// Tells one service from a later one that got the same pid.
std::string ServiceName(const RunningService& service) {
  return absl::StrCat(service.pid, " ", absl::ToUnixNanos(service.since), "\n");
}

}  // namespace

bool StartedBySession(const ServiceFiles& files, const RunningService& service) {
  std::ifstream file(files.sessions_path());
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return service.pid > 0 && text == ServiceName(service);
}

absl::StatusOr<SessionLock> SessionLock::Begin(const ServiceFiles& files) {
  const std::string path = files.sessions_path();
  SessionLock lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock.fd_ >= 0 && SetLock(lock.fd_, F_OFD_SETLKW, F_WRLCK, kTransition) &&
      SetLock(lock.fd_, F_OFD_SETLK, F_RDLCK, kSession)) {
    return lock;
  }
  return absl::PermissionDeniedError(absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
}

SessionLock::SessionLock(SessionLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

SessionLock::~SessionLock() {
  if (fd_ >= 0) close(fd_);
}

absl::Status SessionLock::Own(const RunningService& service) const {
  const std::string name = ServiceName(service);
  const bool written =
      ftruncate(fd_, 0) == 0 && pwrite(fd_, name.data(), name.size(), 0) == static_cast<ssize_t>(name.size());
  return written ? absl::OkStatus() : absl::InternalError(absl::StrCat("sessions: ", std::strerror(errno)));
}

void SessionLock::BeDone() const {
  SetLock(fd_, F_OFD_SETLK, F_UNLCK, kTransition);
}

bool SessionLock::EndsLast() const {
  return SetLock(fd_, F_OFD_SETLKW, F_WRLCK, kTransition) && SetLock(fd_, F_OFD_SETLK, F_WRLCK, kSession);
}

}  // namespace ccr::cli

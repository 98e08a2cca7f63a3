#include "broker/adapters/grpc/connections.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace ccr {
namespace {

constexpr size_t kOtherDescriptors = 256;  // files, timers, the other listeners
constexpr size_t kFewest = 16;

size_t Limit(size_t origins) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) return Connections::kMaxPerOrigin;
  const size_t left = files.rlim_cur > kOtherDescriptors ? files.rlim_cur - kOtherDescriptors : 0;
  return std::clamp(left / std::max<size_t>(origins, 1), kFewest, Connections::kMaxPerOrigin);
}

ino_t Inode(int fd) {
  struct stat info = {};
  return fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode) ? info.st_ino : 0;
}

}  // namespace

Connections::Connections(size_t origins) : limit_(Limit(origins)) {}

absl::StatusOr<int> Connections::Admit(int fd, Origin origin) {
  MutexLock lock(mutex_);
  size_t& open = at_most_[origin];
  if (open >= limit_) open = CountOpen(origin);
  if (open >= limit_) {
    close(fd);
    return absl::ResourceExhaustedError(absl::StrCat(limit_, " connections are open"));
  }
  const int number = FreeNumber(fd, origin);
  if (number < 0) return absl::ResourceExhaustedError("no descriptor is left for it");
  entries_[number] = {origin, Inode(number)};
  ++open;
  return number;
}

size_t Connections::CountOpen(Origin origin) {
  return static_cast<size_t>(std::count_if(entries_.begin(), entries_.end(), [origin](const auto& entry) {
    return entry.second.origin == origin && entry.second.inode == Inode(entry.first);
  }));
}

bool Connections::IsOthers(int number, Origin origin) const {
  const auto entry = entries_.find(number);
  return entry != entries_.end() && entry->second.origin != origin;
}

// -1 when there is none; then `fd` is closed.
int Connections::FreeNumber(int fd, Origin origin) const {
  while (fd >= 0 && IsOthers(fd, origin)) {
    int next = fd + 1;
    while (IsOthers(next, origin)) ++next;
    const int other = fcntl(fd, F_DUPFD_CLOEXEC, next);
    close(fd);
    fd = other;
  }
  return fd;
}

std::optional<Connections::Origin> Connections::Find(const std::string& peer) const {
  int number = 0;
  if (!absl::StartsWith(peer, "fd:") || !absl::SimpleAtoi(peer.substr(3), &number)) return std::nullopt;
  MutexLock lock(mutex_);
  const auto entry = entries_.find(number);
  if (entry == entries_.end()) return std::nullopt;
  return entry->second.origin;
}

}  // namespace ccr

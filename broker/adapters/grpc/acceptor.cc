#include "broker/adapters/grpc/acceptor.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/address.h"
#include "broker/base/log.h"
#include "broker/base/private_path.h"

namespace ccr {
namespace {

constexpr int kBacklog = 1024;
constexpr int kAtOnce = 64;  // of one listener, before the others have their turn

absl::Status CannotListen(const std::string& address, int error) {
  const char* why = error == EADDRINUSE ? "somebody else does" : std::strerror(error);
  return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ", why));
}

const sockaddr* Generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

// Removes the socket file of a server that is gone. False when somebody listens on it.
bool RemoveStaleSocket(const std::string& path, const sockaddr_un& address) {
  struct stat info = {};
  if (lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return true;
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const bool alive = connect(fd, Generic(address), sizeof(address)) == 0 || errno == EAGAIN;
  close(fd);
  return !alive && unlink(path.c_str()) == 0;
}

ino_t InodeOf(const std::string& path) {
  struct stat info = {};
  return lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

uint16_t PortOf(int fd) {
  sockaddr_storage bound = {};
  socklen_t size = sizeof(bound);
  getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size);
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&bound);
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&bound);
  return ntohs(bound.ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port);
}

// -1 and errno when it fails.
int ListenAt(const addrinfo& where, uint16_t port) {
  sockaddr_storage address = {};
  std::memcpy(&address, where.ai_addr, where.ai_addrlen);
  if (where.ai_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(&address)->sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in*>(&address)->sin_port = htons(port);
  }
  const int fd = socket(where.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int yes = 1;
  if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&address), where.ai_addrlen) == 0 &&
      listen(fd, kBacklog) == 0) {
    return fd;
  }
  const int error = errno;
  if (fd >= 0) close(fd);
  errno = error;
  return -1;
}

bool IsShortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

int OpenSpare() {
  return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

}  // namespace

absl::StatusOr<ListeningSocket> ListeningSocket::Unix(const std::string& path, mode_t mode) {
  const std::string name = "unix:" + path;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("'", name, "': the socket's path is empty or longer than ",
                                                   sizeof(address.sun_path) - 1, " bytes; set Broker.listen"));
  }
  path.copy(address.sun_path, path.size());
  const std::filesystem::path folder = std::filesystem::path(AbsolutePath(path)).parent_path();
  if (const absl::Status safe = CheckPrivateFolder(folder.string(), true); !safe.ok()) return safe;
  if (!RemoveStaleSocket(path, address)) return CannotListen(name, EADDRINUSE);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  // The file's mode is set before anybody can connect.
  if (fd < 0 || bind(fd, Generic(address), sizeof(address)) != 0) {
    const int error = errno;
    if (fd >= 0) close(fd);
    return CannotListen(name, error);
  }
  ListeningSocket socket(fd, name);
  socket.inode_ = InodeOf(path);
  if (chmod(path.c_str(), mode) != 0 || listen(fd, kBacklog) != 0) return CannotListen(name, errno);
  return socket;
}

absl::StatusOr<std::vector<ListeningSocket>> ListeningSocket::Tcp(const std::string& address) {
  const absl::StatusOr<HostPort> parsed = ParseHostPort(address);
  if (!parsed.ok()) return parsed.status();
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(parsed->host.c_str(), nullptr, &hints, &found); error != 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  std::vector<ListeningSocket> sockets;
  uint16_t port = parsed->port;
  int error = 0;
  for (const addrinfo* where = found; where != nullptr; where = where->ai_next) {
    const int fd = ListenAt(*where, port);
    if (fd < 0) {
      error = errno;
      if (error == EADDRINUSE) return CannotListen(address, error);
      continue;
    }
    port = PortOf(fd);
    sockets.push_back(ListeningSocket(fd, HostPort{parsed->host, port}.ToString()));
  }
  if (sockets.empty()) return CannotListen(address, error);
  return sockets;
}

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), address_(std::move(other.address_)), inode_(std::exchange(other.inode_, 0)) {}

ListeningSocket::~ListeningSocket() {
  if (fd_ < 0) return;
  const std::string path = UnixPath(address_);
  if (inode_ != 0 && InodeOf(path) == inode_) unlink(path.c_str());
  close(fd_);
}

Acceptor::Acceptor(std::vector<Listener> listeners, std::function<void(bool shortage)> on_shortage)
    : listeners_(std::move(listeners)),
      on_shortage_(std::move(on_shortage)),
      wake_(eventfd(0, EFD_CLOEXEC)),
      spare_(OpenSpare()) {
  thread_ = std::thread([this] { Run(); });
}

Acceptor::~Acceptor() {
  eventfd_write(wake_, 1);
  thread_.join();
  close(wake_);
  if (spare_ >= 0) close(spare_);
}

void Acceptor::Run() {
  std::vector<pollfd> fds{{wake_, POLLIN, 0}};
  for (const Listener& listener : listeners_) fds.push_back({listener.socket.fd(), POLLIN, 0});
  while (true) {
    // While there are no descriptors, new clients wait in the backlog between two tries.
    const int timeout = shortage_ ? static_cast<int>(absl::ToInt64Milliseconds(kRetry)) : -1;
    poll(fds.data(), shortage_ ? 1 : fds.size(), timeout);
    if ((fds[0].revents & POLLIN) != 0) return;
    if (shortage_) {
      TryAgain();
      continue;
    }
    for (size_t i = 0; i < listeners_.size(); ++i) {
      if (fds[i + 1].revents != 0) AcceptSome(listeners_[i]);
    }
  }
}

void Acceptor::AcceptSome(const Listener& listener) {
  for (int i = 0; i < kAtOnce; ++i) {
    const int fd = accept4(listener.socket.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (!IsShortage(errno)) return;  // there is none, or it ended before it was accepted
      DropOne(listener);
      return SetShortage(true);
    }
    const int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));  // of no effect on a unix socket
    listener.on_connection(fd);
  }
}

void Acceptor::DropOne(const Listener& listener) {
  if (spare_ < 0) return;
  close(std::exchange(spare_, -1));
  const int fd = accept4(listener.socket.fd(), nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) close(fd);
  spare_ = OpenSpare();
}

void Acceptor::TryAgain() {
  if (spare_ < 0) spare_ = OpenSpare();
  const int another = spare_ < 0 ? -1 : OpenSpare();
  if (another >= 0) {
    close(another);
    return SetShortage(false);
  }
  for (const Listener& listener : listeners_) DropOne(listener);
}

void Acceptor::SetShortage(bool shortage) {
  if (shortage_ == shortage) return;
  shortage_ = shortage;
  Log(shortage ? LogLevel::kError : LogLevel::kInfo, shortage ? "no_descriptors_left" : "descriptors_are_back",
      {{"action", shortage ? "new connections are dropped; raise the limit of open files (ulimit -n)"
                           : "connections are accepted again"}});
  on_shortage_(shortage);
}

}  // namespace ccr

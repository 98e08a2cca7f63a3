#include "broker/base/page_server.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/base/file_descriptor.h"

namespace ccr {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kAcceptPause(100);  // while the process has no descriptor
constexpr std::chrono::milliseconds kLinger(1000);      // for the client to close first, so that it reads all

absl::StatusOr<FileDescriptor> Bind(const addrinfo& where) {
  FileDescriptor fd(socket(where.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (fd.valid() && setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
      bind(fd.get(), where.ai_addr, where.ai_addrlen) == 0 && listen(fd.get(), SOMAXCONN) == 0) {
    return fd;
  }
  return absl::ErrnoToStatus(errno, "");
}

absl::StatusOr<FileDescriptor> Listen(const HostPort& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (error != 0) return absl::UnavailableError(gai_strerror(error));
  const absl::Cleanup free = [found] { freeaddrinfo(found); };
  absl::StatusOr<FileDescriptor> bound = Bind(*found);
  for (const addrinfo* next = found->ai_next; !bound.ok() && next != nullptr; next = next->ai_next) bound = Bind(*next);
  return bound;
}

uint16_t PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  const bool v6 = address.ss_family == AF_INET6;
  return ntohs(v6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                  : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

struct RequestLine {
  std::string_view method, path;
};

// Of a whole head; empty members when it is none.
RequestLine ReadRequestLine(std::string_view head) {
  const std::string_view line = head.substr(0, head.find("\r\n"));
  const size_t path = line.find(' ');
  const size_t version = line.rfind(' ');
  if (path == std::string_view::npos || path == version || !line.substr(version).starts_with(" HTTP/1.")) return {};
  const std::string_view target = line.substr(path + 1, version - path - 1);
  return {line.substr(0, path), target.substr(0, target.find('?'))};
}

std::string Answer(std::string_view status, std::string_view type, std::string_view body, bool with_body) {
  return absl::StrCat("HTTP/1.1 ", ToAbsl(status), "\r\nContent-Type: ", ToAbsl(type),
                      "\r\nContent-Length: ", body.size(), "\r\nConnection: close\r\n\r\n",
                      with_body ? ToAbsl(body) : "");
}

std::string Refusal(std::string_view status) {
  return Answer(status, "text/plain", absl::StrCat(ToAbsl(status.substr(4)), "\n"), true);
}

}  // namespace

class PageServer::Loop {
 public:
  Loop(Options options, FileDescriptor listener, std::function<std::string()> render)
      : options_(std::move(options)),
        render_(std::move(render)),
        listener_(std::move(listener)),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    options_.listen.port = PortOf(listener_.get());
    thread_ = std::thread([this] { Run(); });
  }
  ~Loop() {
    eventfd_write(wake_.get(), 1);
    thread_.join();
  }
  const HostPort& address() const { return options_.listen; }

 private:
  enum class State { kReading, kWriting, kLingering };
  struct Connection {
    FileDescriptor fd;
    SteadyClock::time_point deadline;
    State state = State::kReading;
    std::string head = {};
    std::string answer = {};
    size_t sent = 0;
  };

  void Run() {
    std::vector<pollfd> waits;
    do {
      DropExpired();
      if (!spare_.valid()) spare_ = FileDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC));
      Collect(&waits);
      poll(waits.data(), waits.size(), MillisecondsToWait());
      size_t i = 2;
      for (auto connection = connections_.begin(); connection != connections_.end(); ++i) {
        const bool open = waits[i].revents == 0 || Advance(&*connection);
        connection = open ? std::next(connection) : connections_.erase(connection);
      }
      if (waits[1].revents != 0) AcceptAll();
    } while (waits[0].revents == 0);
  }

  void Collect(std::vector<pollfd>* waits) const {
    const bool paused = accept_after_ > SteadyClock::now();
    waits->assign({{wake_.get(), POLLIN, 0}, {paused ? -1 : listener_.get(), POLLIN, 0}});
    for (const Connection& connection : connections_) {
      const short events = connection.state == State::kWriting ? POLLOUT : POLLIN;
      waits->push_back({connection.fd.get(), events, 0});
    }
  }

  int MillisecondsToWait() const {
    const auto now = SteadyClock::now();
    auto until = SteadyClock::time_point::max();
    for (const Connection& connection : connections_) until = std::min(until, connection.deadline);
    if (accept_after_ > now) until = std::min(until, accept_after_);
    if (until == SteadyClock::time_point::max()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now);
    return static_cast<int>(std::max<int64_t>(0, left.count()));
  }

  void DropExpired() {
    const auto now = SteadyClock::now();
    connections_.remove_if([now](const Connection& connection) { return connection.deadline <= now; });
  }

  void AcceptAll() {
    for (;;) {
      FileDescriptor fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (fd.valid()) {
        if (connections_.size() >= options_.max_connections) connections_.pop_front();
        connections_.push_back({std::move(fd), SteadyClock::now() + options_.deadline});
      } else if (errno == EAGAIN) {
        return;
      } else if (spare_.valid() && (errno == EMFILE || errno == ENFILE)) {
        spare_.Close();
      } else if (errno != EINTR && errno != ECONNABORTED) {
        accept_after_ = SteadyClock::now() + kAcceptPause;
        return;
      }
    }
  }

  // False when the connection is over.
  bool Advance(Connection* connection) {
    if (connection->state == State::kReading && !Read(connection)) return false;
    if (connection->state == State::kWriting && !Write(connection)) return false;
    return connection->state != State::kLingering || !Ended(*connection);
  }

  bool Read(Connection* connection) {
    char buffer[2048];
    const ssize_t got = recv(connection->fd.get(), buffer, sizeof(buffer), 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    connection->head.append(buffer, static_cast<size_t>(got));
    if (connection->head.find("\r\n\r\n") != std::string::npos) {
      connection->answer = AnswerTo(connection->head);
    } else if (connection->head.size() > kMaxHeadBytes) {
      connection->answer = Refusal("431 Request Header Fields Too Large");
    } else {
      return true;
    }
    connection->state = State::kWriting;
    return true;
  }

  std::string AnswerTo(std::string_view head) {
    const RequestLine request = ReadRequestLine(head);
    if (request.method.empty()) return Refusal("400 Bad Request");
    if (request.path != options_.path) return Refusal("404 Not Found");
    if (request.method != "GET" && request.method != "HEAD") return Refusal("405 Method Not Allowed");
    DropOldestAnswer();
    return Answer("200 OK", options_.content_type, render_(), request.method == "GET");
  }

  // Makes room for another page. The connection itself goes in the next round.
  void DropOldestAnswer() {
    const auto writes = [](const Connection& connection) { return connection.state == State::kWriting; };
    if (std::count_if(connections_.begin(), connections_.end(), writes) < static_cast<int>(options_.max_answers))
      return;
    const auto oldest = std::find_if(connections_.begin(), connections_.end(), writes);
    std::string().swap(oldest->answer);
    oldest->sent = 0;
    oldest->deadline = SteadyClock::now();
    oldest->state = State::kLingering;
  }

  static bool Write(Connection* connection) {
    const std::string_view left = std::string_view(connection->answer).substr(connection->sent);
    const ssize_t sent = send(connection->fd.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    connection->sent += static_cast<size_t>(sent);
    if (connection->sent < connection->answer.size()) return true;
    std::string().swap(connection->answer);
    shutdown(connection->fd.get(), SHUT_WR);
    connection->deadline = std::min(connection->deadline, SteadyClock::now() + kLinger);
    connection->state = State::kLingering;
    return true;
  }

  static bool Ended(const Connection& connection) {
    char buffer[2048];
    const ssize_t got = recv(connection.fd.get(), buffer, sizeof(buffer), 0);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
  }

  Options options_;
  const std::function<std::string()> render_;
  const FileDescriptor listener_;
  const FileDescriptor wake_;
  std::thread thread_;

  // Of the thread.
  FileDescriptor spare_;  // given up for a connection when there is no other
  SteadyClock::time_point accept_after_;
  std::list<Connection> connections_;  // oldest first
};

absl::StatusOr<std::unique_ptr<PageServer>> PageServer::Start(Options options, std::function<std::string()> render) {
  absl::StatusOr<FileDescriptor> listener = Listen(options.listen);
  if (!listener.ok()) return listener.status();
  return std::unique_ptr<PageServer>(
      new PageServer(std::make_unique<Loop>(std::move(options), *std::move(listener), std::move(render))));
}

PageServer::PageServer(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}

PageServer::~PageServer() = default;

const HostPort& PageServer::address() const {
  return loop_->address();
}

}  // namespace ccr

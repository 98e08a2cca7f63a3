// Listening sockets, and the thread that accepts on them.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace ccr {

// One socket that listens. `address` is the one really bound. Move-only; the end closes it and removes its file.
class ListeningSocket {
 public:
  // At a path, with that mode. A file that nobody listens on any more is replaced. The folder must not be writable by
  // others (CheckPrivateFolder).
  static absl::StatusOr<ListeningSocket> Unix(const std::string& path, mode_t mode);
  // At "HOST:PORT": every address that HOST has, at one port; port 0 is any.
  static absl::StatusOr<std::vector<ListeningSocket>> Tcp(const std::string& address);

  ListeningSocket(ListeningSocket&& other) noexcept;
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  ~ListeningSocket();

  int fd() const { return fd_; }
  const std::string& address() const { return address_; }

 private:
  ListeningSocket(int fd, std::string address) : fd_(fd), address_(std::move(address)) {}

  int fd_;
  std::string address_;
  ino_t inode_ = 0;  // of the file, when it is one of ours
};

// Accepts until its end, from a thread of its own, and survives every error of accept. When this process or the machine
// has no descriptor left, the client that just came is dropped at once, by means of one descriptor that is held back
// for that, and `on_shortage(true)` is called, `on_shortage(false)` when there are some again.
class Acceptor {
 public:
  static constexpr absl::Duration kRetry = absl::Milliseconds(100);

  struct Listener {
    ListeningSocket socket;
    std::function<void(int fd)> on_connection;  // takes over the descriptor, which does not block
  };

  Acceptor(std::vector<Listener> listeners, std::function<void(bool shortage)> on_shortage);
  ~Acceptor();  // no callback runs afterwards
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

 private:
  void Run();
  void AcceptSome(const Listener& listener);
  void DropOne(const Listener& listener);
  void TryAgain();
  void SetShortage(bool shortage);

  const std::vector<Listener> listeners_;
  const std::function<void(bool)> on_shortage_;
  int wake_;               // eventfd: end
  int spare_;              // -1 while it is in use
  bool shortage_ = false;  // of the thread
  std::thread thread_;
};

}  // namespace ccr

#include "proxy/upstream/multi_loop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proxy/upstream/silence.h"

namespace ccr::proxy {

struct MultiLoop::Socket {
  Socket(boost::asio::io_context& loop, curl_socket_t f, bool k) : fd(f), kept(k), descriptor(loop, f) {}

  const curl_socket_t fd;
  const bool kept;  // opened through OnOpen: stays until OnClose. Others (the resolver's) go when curl loses interest
  int wanted = 0;   // CURL_CSELECT_IN and _OUT
  int waiting = 0;  // for which of them a wait is under way
  bool closed = false;
  std::string ends;  // once claimed
  boost::asio::posix::stream_descriptor descriptor;
};

namespace {

// "IP PORT", or "IP" alone, of one end of a connection.
std::string Text(const sockaddr_storage& end, bool with_port) {
  char ip[INET6_ADDRSTRLEN] = "";
  const bool v6 = end.ss_family == AF_INET6;
  const auto& in6 = reinterpret_cast<const sockaddr_in6&>(end);
  const auto& in4 = reinterpret_cast<const sockaddr_in&>(end);
  if (v6) inet_ntop(AF_INET6, &in6.sin6_addr, ip, sizeof ip);
  if (!v6) inet_ntop(AF_INET, &in4.sin_addr, ip, sizeof ip);
  return with_port ? absl::StrCat(ip, " ", ntohs(v6 ? in6.sin6_port : in4.sin_port)) : ip;
}

bool Leads(int socket, const std::string& local, const char* remote_ip) {
  sockaddr_storage here{}, there{};
  socklen_t size = sizeof here;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&here), &size) != 0) return false;
  size = sizeof there;
  if (getpeername(socket, reinterpret_cast<sockaddr*>(&there), &size) != 0) return false;
  return Text(here, true) == local && Text(there, false) == remote_ip;
}

bool IsReadable(int socket) {
  pollfd wanted{socket, POLLIN, 0};
  return poll(&wanted, 1, 0) > 0;
}

}  // namespace

MultiLoop::MultiLoop(boost::asio::io_context& loop, size_t max_idle_connections, std::function<void()> after_work)
    : loop_(loop),
      after_work_(std::move(after_work)),
      multi_(curl_multi_init()),
      timer_(loop, [this] { OnTimeout(); }),
      self_(std::make_shared<MultiLoop*>(this)) {
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &MultiLoop::OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &MultiLoop::OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(max_idle_connections));
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
}

MultiLoop::~MultiLoop() {
  curl_multi_cleanup(multi_);
  for (size_t fd = 0; fd < sockets_.size(); ++fd) Release(static_cast<curl_socket_t>(fd));
}

void MultiLoop::Adopt(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &MultiLoop::OnOpen);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &MultiLoop::OnClose);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
}

bool MultiLoop::Add(CURL* easy) {
  return curl_multi_add_handle(multi_, easy) == CURLM_OK;
}

void MultiLoop::Remove(CURL* easy) {
  curl_multi_remove_handle(multi_, easy);
}

void MultiLoop::Unpause(CURL* easy) {
  working_ = true;
  curl_easy_pause(easy, CURLPAUSE_CONT);
  working_ = false;
  after_work_();
}

MultiLoop::Line MultiLoop::Claim(const char* local_ip, int local_port, const char* remote_ip, int remote_port) {
  const std::string local = absl::StrCat(local_ip, " ", local_port);
  std::string ends = absl::StrCat(local, " ", remote_ip, " ", remote_port);
  const auto known = claimed_.find(ends);
  if (known != claimed_.end()) return {known->second, true};
  const auto found =
      std::find_if(unclaimed_.begin(), unclaimed_.end(), [&](curl_socket_t fd) { return Leads(fd, local, remote_ip); });
  if (found == unclaimed_.end()) return {};
  const curl_socket_t fd = *found;
  unclaimed_.erase(found);
  claimed_[ends] = fd;
  At(fd)->ends = std::move(ends);
  return {fd, false};
}

CURL* MultiLoop::NextDone(CURLcode* code) {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    *code = message->data.result;
    return message->easy_handle;
  }
  return nullptr;
}

int MultiLoop::OnSocket(CURL* /*easy*/, curl_socket_t fd, int what, void* self_pointer, void* /*socket*/) {
  auto* self = static_cast<MultiLoop*>(self_pointer);
  auto& slot = self->At(fd);
  if (what == CURL_POLL_REMOVE) {
    if (slot == nullptr) return 0;
    slot->wanted = 0;
    if (!slot->kept) self->Release(fd);
    return 0;
  }
  if (slot == nullptr) slot = std::make_shared<Socket>(self->loop_, fd, false);
  slot->wanted =
      ((what & CURL_POLL_IN) != 0 ? CURL_CSELECT_IN : 0) | ((what & CURL_POLL_OUT) != 0 ? CURL_CSELECT_OUT : 0);
  self->Watch(slot);
  return 0;
}

int MultiLoop::OnTimer(CURLM* /*multi*/, long timeout_ms, void* self_pointer) {
  auto* self = static_cast<MultiLoop*>(self_pointer);
  if (timeout_ms < 0) {
    self->due_ = SteadyTime::max();
  } else if (timeout_ms == 0) {
    self->due_ = SteadyTime::min();
    self->KickSoon();
  } else {
    self->due_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    self->timer_.CallBy(self->due_);
  }
  return 0;
}

curl_socket_t MultiLoop::OnOpen(void* self_pointer, curlsocktype /*purpose*/, curl_sockaddr* address) {
  auto* self = static_cast<MultiLoop*>(self_pointer);
  const int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
  self->open_error_ = fd < 0 ? errno : 0;
  if (fd < 0) return CURL_SOCKET_BAD;
  ProbeSilence(fd);
  self->At(fd) = std::make_shared<Socket>(self->loop_, fd, true);
  self->unclaimed_.push_back(fd);
  return fd;
}

int MultiLoop::OnClose(void* self_pointer, curl_socket_t fd) {
  static_cast<MultiLoop*>(self_pointer)->Release(fd);
  return close(fd);
}

std::shared_ptr<MultiLoop::Socket>& MultiLoop::At(curl_socket_t fd) {
  const auto index = static_cast<size_t>(fd);
  if (index >= sockets_.size()) sockets_.resize(index + 1);
  return sockets_[index];
}

void MultiLoop::Watch(const std::shared_ptr<Socket>& socket) {
  for (const int direction : {CURL_CSELECT_IN, CURL_CSELECT_OUT}) {
    if ((socket->wanted & ~socket->waiting & direction) != 0) Wait(socket, direction);
  }
}

void MultiLoop::Wait(const std::shared_ptr<Socket>& socket, int direction) {
  using Descriptor = boost::asio::posix::stream_descriptor;
  socket->waiting |= direction;
  const auto wait = direction == CURL_CSELECT_IN ? Descriptor::wait_read : Descriptor::wait_write;
  socket->descriptor.async_wait(wait, [this, socket, direction](const boost::system::error_code& /*error*/) {
    socket->waiting &= ~direction;
    if (socket->closed) return;  // and we may be gone
    int ready = socket->wanted & direction;
    // An answer that has come is read first: sending may fail for it.
    if (ready == CURL_CSELECT_OUT && IsReadable(socket->fd)) ready |= socket->wanted & CURL_CSELECT_IN;
    if (ready != 0) Work(socket->fd, ready);
    if (!socket->closed) Watch(socket);
  });
}

void MultiLoop::Release(curl_socket_t fd) {
  const std::shared_ptr<Socket> socket = std::exchange(At(fd), nullptr);
  if (socket == nullptr) return;
  std::erase(unclaimed_, fd);
  if (!socket->ends.empty()) claimed_.erase(socket->ends);
  socket->closed = true;
  socket->descriptor.release();
}

void MultiLoop::OnTimeout() {
  if (due_ <= std::chrono::steady_clock::now()) {
    Work(CURL_SOCKET_TIMEOUT, 0);
  } else if (due_ != SteadyTime::max()) {
    timer_.CallBy(due_);
  }
}

void MultiLoop::KickSoon() {
  if (std::exchange(kicked_, true)) return;
  boost::asio::post(loop_, [weak = std::weak_ptr<MultiLoop*>(self_)] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    (*self)->kicked_ = false;
    (*self)->Work(CURL_SOCKET_TIMEOUT, 0);
  });
}

void MultiLoop::Work(curl_socket_t fd, int events) {
  int running = 0;
  const SteadyTime due = due_;
  working_ = true;  // curl calls handlers from inside, and they must not call it: see CurlClient::Cancel
  curl_multi_socket_action(multi_, fd, events, &running);
  working_ = false;
  // Curl says a moment once only; where its clock is a little behind ours it has done nothing yet.
  const SteadyTime now = std::chrono::steady_clock::now();
  if (fd == CURL_SOCKET_TIMEOUT && due_ == due && due <= now) timer_.CallBy(now + std::chrono::milliseconds(1));
  after_work_();
}

}  // namespace ccr::proxy

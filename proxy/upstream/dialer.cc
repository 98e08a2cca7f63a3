#include "proxy/upstream/dialer.h"

#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <utility>

#include "absl/strings/numbers.h"

namespace ccr::proxy {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr auto kHeadStart = std::chrono::milliseconds(250);

}  // namespace

void Dialer::Start(const std::string& host, const std::string& port, Done done) {
  done_ = std::move(done);
  error_code not_an_address;
  const auto address = boost::asio::ip::make_address(host, not_an_address);
  int number = 0;
  if (!not_an_address && absl::SimpleAtoi(port, &number)) {
    return Connect({tcp::endpoint(address, static_cast<uint16_t>(number))});
  }
  book_.LookUp(host, port, [self = shared_from_this()](const error_code& error, const Addresses& addresses) {
    if (!self->done_) return;
    if (error) return self->Finish(error, Socket(self->loop_));
    self->Connect(addresses);
  });
}

void Dialer::Connect(Addresses addresses) {
  addresses_ = std::move(addresses);
  TryNext();
}

void Dialer::TryNext() {
  if (next_ == addresses_.size()) return;
  const tcp::endpoint address = addresses_[next_++];
  const auto socket = trying_.emplace(trying_.end(), loop_);
  socket->async_connect(address, [self = shared_from_this(), socket](const error_code& error) {
    if (self->done_) self->OnConnected(socket, error);
  });
  if (next_ == addresses_.size()) return;
  timer_.expires_after(kHeadStart);
  timer_.async_wait([self = shared_from_this(), turn = next_](const error_code& error) {
    if (!error && self->done_ && self->next_ == turn) self->TryNext();
  });
}

void Dialer::OnConnected(std::list<Socket>::iterator socket, const error_code& error) {
  Socket connected = std::move(*socket);
  trying_.erase(socket);
  if (!error) return Finish(error, std::move(connected));
  if (next_ < addresses_.size()) return TryNext();
  if (trying_.empty()) Finish(error, std::move(connected));
}

void Dialer::Finish(const error_code& error, Socket socket) {
  const Done done = std::exchange(done_, nullptr);  // first: what is cancelled now is not heard any more
  Cancel();
  done(error, std::move(socket));
}

void Dialer::Cancel() {
  done_ = nullptr;
  timer_.cancel();
  for (Socket& socket : trying_) {
    error_code ignored;
    socket.close(ignored);
  }
}

}  // namespace ccr::proxy

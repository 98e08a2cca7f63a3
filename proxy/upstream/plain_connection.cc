#include "proxy/upstream/plain_connection.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/socket_base.hpp>

namespace ccr::proxy {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr size_t kReadSize = 16 * 1024;
constexpr size_t kKeptBuffer = 32 * 1024;

}  // namespace

PlainConnection::PlainConnection(tcp::socket socket, std::string origin)
    : socket_(std::move(socket)), origin_(std::move(origin)) {
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  ProbeSilence(socket_.native_handle());
  socket_.non_blocking(true, ignored);
}

void PlainConnection::Close() {
  user_ = nullptr;
  error_code ignored;
  socket_.close(ignored);
}

void PlainConnection::Read() {
  if (std::exchange(reading_, true)) return;
  buffer_.Trim(kKeptBuffer);
  socket_.async_read_some(buffer_.Prepare(kReadSize),
                          [self = shared_from_this()](const error_code& error, size_t bytes) {
                            self->reading_ = false;
                            self->buffer_.Commit(bytes);
                            if (self->user_ != nullptr) self->user_->OnRead(*self, error);
                          });
}

void PlainConnection::Watch() {
  if (std::exchange(watching_, true)) return;
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const error_code&) {
    self->watching_ = false;
    if (self->user_ != nullptr) self->user_->OnReadable(*self);
  });
}

void PlainConnection::SetIdle(SteadyTime since) {
  Acknowledge(socket_.native_handle());
  if (idle_since_ == SteadyTime()) BoundSilence(socket_.native_handle());
  idle_since_ = since;
}

void PlainConnection::WaitUntilWritable() {
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const error_code& error) {
    if (!error && self->user_ != nullptr) self->user_->OnWritable(*self);
  });
}

}  // namespace ccr::proxy

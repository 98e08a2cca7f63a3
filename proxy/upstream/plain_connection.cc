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
  socket_.set_option(boost::asio::socket_base::keep_alive(true), ignored);
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

bool PlainConnection::IsSilent() {
  char byte = 0;
  error_code error;
  socket_.receive(boost::asio::buffer(&byte, 1), boost::asio::socket_base::message_peek, error);
  return error == boost::asio::error::would_block;
}

void PlainConnection::WaitUntilWritable() {
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const error_code& error) {
    if (!error && self->user_ != nullptr) self->user_->OnWritable(*self);
  });
}

}  // namespace ccr::proxy

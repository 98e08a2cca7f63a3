#include "tests/bench/rotation/real/provider_server.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "boost/asio/buffer.hpp"
#include "boost/asio/steady_timer.hpp"
#include "boost/asio/write.hpp"
#include "boost/beast/core.hpp"
#include "boost/beast/http.hpp"

namespace ccr::rotation {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Tcp = asio::ip::tcp;

std::string HeadOf(int status, const Reply& reply, const std::string& more) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " Bench\r\n";
  for (const auto& [name, value] : reply.headers) head += name + ": " + value + "\r\n";
  return head + more + "\r\n";
}

std::string Whole(int status, const Reply& reply, const std::string& body) {
  return HeadOf(status, reply,
                "content-type: application/json\r\ncontent-length: " + std::to_string(body.size()) + "\r\n") +
         body;
}

std::string Usage(const Request& request) {
  return R"("usage":{"prompt_tokens":)" + std::to_string(request.input_tokens) + R"(,"completion_tokens":)" +
         std::to_string(request.output_tokens) + R"(,"total_tokens":)" +
         std::to_string(request.input_tokens + request.output_tokens) + "}";
}

std::string Chunk(const std::string& data) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  return size + data + "\r\n";
}

std::string Event(const std::string& choices, const std::string& more) {
  return Chunk(R"(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[)" + choices +
               "]" + more + "}\n\n");
}

// One connection of the proxy; requests on it come one after the other. Lives as long as something is under way.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Tcp::socket socket, Session* session)
      : stream_(std::move(socket)), timer_(stream_.get_executor()), session_(session) {}

  void Read() {
    asked_.emplace();
    asked_->body_limit(64 * 1024 * 1024);
    http::async_read(stream_, buffer_, *asked_, [self = shared_from_this()](boost::system::error_code failed, size_t) {
      if (!failed) self->Answer(self->asked_->get());
    });
  }

 private:
  void Answer(const http::request<http::string_body>& asked) {
    const std::optional<size_t> key = session_->KeyOf(std::string(asked[http::field::authorization]));
    if (!key) return Write(Whole(401, {}, R"({"error":{"type":"invalid_request_error","code":"invalid_api_key"}})"));
    const absl::Time now = session_->Now();
    if (asked.method() == http::verb::get) {
      const int status = session_->recorder().provider().Probe(*key, now);
      session_->recorder().Probed(*key, status, now);
      if (status == 0) return;
      return Write(Whole(status, {}, R"({"object":"list","data":[]})"));
    }
    const std::string number(asked["x-bench-request"]);
    request_ = std::strtoul(number.c_str(), nullptr, 10);
    if (number.empty() || request_ >= session_->scenario().requests.size()) return;
    begun_ = now;
    call_ = session_->recorder().Begin(request_, *key, now);
    const bool begins_before = call_->reply.status == 200 && call_->reply.first_byte < call_->reply.total;
    At(begins_before ? call_->reply.first_byte : call_->reply.total,
       [self = shared_from_this(), begins_before] { begins_before ? self->BeginStream() : self->AnswerWhole(); });
  }

  template <typename Then>
  void At(absl::Duration since_begin, Then then) {
    timer_.expires_after(absl::ToChronoNanoseconds(begun_ + since_begin - session_->Now()));
    timer_.async_wait([then](boost::system::error_code failed) {
      if (!failed) then();
    });
  }

  const Request& request() const { return session_->scenario().requests[request_]; }

  void AnswerWhole() {
    const Reply& reply = call_->reply;
    session_->recorder().End(*call_, session_->Now());
    if (reply.status == 0) return;  // the connection ends without a byte
    if (reply.status != 200) return Write(Whole(reply.status, reply, reply.body));
    Write(Whole(200, reply,
                R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":)"
                R"({"role":"assistant","content":"hello"},"finish_reason":"stop"}],)" +
                    Usage(request()) + "}"));
  }

  void BeginStream() {
    out_ = HeadOf(200, call_->reply, "content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n") +
           Event(R"({"index":0,"delta":{"role":"assistant","content":"hel"},"finish_reason":null})", "");
    asio::async_write(stream_, asio::buffer(out_), [self = shared_from_this()](boost::system::error_code, size_t) {
      self->At(self->call_->reply.total, [self] { self->EndStream(); });
    });
  }

  void EndStream() {
    session_->recorder().End(*call_, session_->Now());
    if (call_->reply.cut) return stream_.close();
    Write(Event(R"({"index":0,"delta":{"content":"lo"},"finish_reason":"stop"})", "," + Usage(request())) +
          Chunk("data: [DONE]\n\n") + "0\r\n\r\n");
  }

  void Write(std::string text) {
    out_ = std::move(text);
    asio::async_write(stream_, asio::buffer(out_),
                      [self = shared_from_this()](boost::system::error_code failed, size_t) {
                        if (!failed) self->Read();
                      });
  }

  Tcp::socket stream_;
  asio::steady_timer timer_;
  Session* const session_;
  boost::beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> asked_;
  size_t request_ = 0;
  absl::Time begun_;
  std::optional<Recorder::Call> call_;
  std::string out_;
};

}  // namespace

ProviderServer::ProviderServer(asio::io_context& io, Session* session)
    : io_(io), session_(session), acceptor_(io, {asio::ip::make_address("127.0.0.1"), 0}) {
  Accept();
}

void ProviderServer::Accept() {
  acceptor_.async_accept(io_, [this](boost::system::error_code failed, Tcp::socket socket) {
    if (failed) return;
    std::make_shared<Connection>(std::move(socket), session_)->Read();
    Accept();
  });
}

}  // namespace ccr::rotation

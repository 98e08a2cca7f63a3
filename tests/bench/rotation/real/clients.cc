#include "tests/bench/rotation/real/clients.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/steady_timer.hpp"
#include "boost/beast/core.hpp"
#include "boost/beast/http.hpp"

namespace ccr::rotation {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Tcp = asio::ip::tcp;

constexpr size_t kBytesPerToken = 4;

class Client : public std::enable_shared_from_this<Client> {
 public:
  Client(asio::io_context& io, Session* session, size_t number, uint16_t port)
      : stream_(io), timer_(io), session_(session), number_(number), port_(port) {}

  void Start() {
    const Scenario& scenario = session_->scenario();
    timer_.expires_after(absl::ToChronoNanoseconds(scenario.requests[number_].arrival - session_->Now()));
    timer_.async_wait([self = shared_from_this()](boost::system::error_code) { self->Connect(); });
  }

 private:
  void Connect() {
    stream_.expires_after(absl::ToChronoSeconds(session_->scenario().fleet.traffic.patience));
    stream_.async_connect(Tcp::endpoint(asio::ip::make_address("127.0.0.1"), port_),
                          [self = shared_from_this()](boost::system::error_code failed) {
                            failed ? self->Finish(Fate::kGaveUp, 0) : self->Send();
                          });
  }

  void Send() {
    const Request& request = session_->scenario().requests[number_];
    asked_.method(http::verb::post);
    asked_.target("/v1/chat/completions");
    asked_.set(http::field::host, "127.0.0.1:" + std::to_string(port_));
    asked_.set(http::field::content_type, "application/json");
    asked_.set("x-bench-request", std::to_string(number_));
    if (request.session != 0) asked_.set("x-claude-code-session-id", "session-" + std::to_string(request.session));
    asked_.body() = R"({"model":"bench,)" + session_->scenario().fleet.traffic.models[request.model] +
                    R"(","stream":)" + (request.stream ? "true" : "false") + R"(,"max_tokens":)" +
                    std::to_string(request.output_tokens) + R"(,"messages":[{"role":"user","content":")" +
                    std::string(request.input_tokens * kBytesPerToken, 'x') + R"("}]})";
    asked_.prepare_payload();
    http::async_write(stream_, asked_, [self = shared_from_this()](boost::system::error_code failed, size_t) {
      if (failed) return self->Finish(Fate::kGaveUp, 0);
      self->answer_.body_limit(64 * 1024 * 1024);
      http::async_read(self->stream_, self->buffer_, self->answer_,
                       [self](boost::system::error_code cut, size_t) { self->OnAnswer(cut); });
    });
  }

  void OnAnswer(boost::system::error_code cut) {
    const auto& answer = answer_.get();
    if (!answer_.is_header_done()) return Finish(Fate::kGaveUp, 0);
    const int status = static_cast<int>(answer.result_int());
    if (status == 429) return Finish(Fate::kRefused, status);
    if (status != 200) return Finish(Fate::kRelayed, status);
    const bool stream = session_->scenario().requests[number_].stream;
    const bool complete = !cut && (!stream || answer.body().find("data: [DONE]") != std::string::npos);
    Finish(complete ? Fate::kServed : Fate::kCut, status);
  }

  void Finish(Fate fate, int status) { session_->Finish(number_, fate, status); }

  boost::beast::tcp_stream stream_;
  asio::steady_timer timer_;
  Session* const session_;
  const size_t number_;
  const uint16_t port_;
  boost::beast::flat_buffer buffer_;
  http::request<http::string_body> asked_;
  http::response_parser<http::string_body> answer_;
};

}  // namespace

void SendAll(asio::io_context& io, Session* session, uint16_t port) {
  for (size_t i = 0; i < session->scenario().requests.size(); ++i)
    std::make_shared<Client>(io, session, i, port)->Start();
}

}  // namespace ccr::rotation

#include "proxy/upstream/plain_transfer.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/http/error.hpp>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/upstream/local_shortage.h"
#include "proxy/upstream/plain_client.h"

namespace ccr::proxy {
namespace {

using boost::system::error_code;

constexpr size_t kPieces = 16;     // given to the kernel at once
constexpr int kWritesPerTurn = 4;  // then others have theirs
constexpr std::string_view kTimedOut = "a time limit has passed";

TransportError OfDialing(const error_code& error) {
  if (IsLocalShortage(error.value())) return TransportError::kLocal;
  if (error == boost::asio::error::connection_refused) return TransportError::kRefused;
  const bool name = error.category() == boost::asio::error::get_netdb_category() ||
                    error.category() == boost::asio::error::get_addrinfo_category();
  return name ? TransportError::kName : TransportError::kConnect;
}

}  // namespace

void PlainTransfer::Begin(UpstreamRequest request, UpstreamHandler* handler, SteadyTime now) {
  Transfer::Begin(std::move(request), handler, now);
  const PlainUrl url = *PlainUrl::Parse(request_.url);
  host_ = url.host;
  port_ = url.port;
  origin_ = url.authority;
  sent_ = head_bytes_ = 0;
  write_failed_ = head_given_ = false;
  BuildHead(url);
  size_ = head_.size() + BodySize();
  std::shared_ptr<PlainConnection> kept = client_.TakeIdle(origin_, now);
  reused_ = kept != nullptr;
  if (reused_) return Use(std::move(kept), now);
  Dial();
}

void PlainTransfer::End() {
  if (dialer_ != nullptr) std::exchange(dialer_, nullptr)->Cancel();
  if (connection_ != nullptr) std::exchange(connection_, nullptr)->Close();
  parser_.reset();
  head_.Clear();
  Transfer::End();
}

void PlainTransfer::BuildHead(const PlainUrl& url) {
  const auto line = [this](std::string_view name, std::string_view prefix, std::string_view value) {
    head_.Append(name);
    head_.Append(prefix.empty() && value.empty() ? ":" : ": ");
    head_.Append(prefix);
    head_.Append(value);
    head_.Append("\r\n");
  };
  head_.Append(request_.method);
  head_.Append(url.target.starts_with('/') ? " " : " /");
  head_.Append(url.target);
  head_.Append(" HTTP/1.1\r\n");
  line("Host", "", url.authority);
  for (const auto& [name, value] : request_.headers) line(name, "", value);
  if (!request_.credential_header.empty())
    line(request_.credential_header, request_.credential_prefix, request_.credential.Reveal());
  const std::string& method = request_.method;
  if (request_.has_body || method == "POST" || method == "PUT" || method == "PATCH") {
    const absl::AlphaNum size(BodySize());
    line("Content-Length", "", ToStd(size.Piece()));
  }
  head_.Append("\r\n");
  request_.credential = Secret();
}

void PlainTransfer::Dial() {
  connected_at_ = SteadyTime::min();
  dialed_at_ = std::chrono::steady_clock::now();
  dialer_ = client_.NewDialer();
  dialer_->Start(host_, port_, [this](const error_code& error, Dialer::Socket socket) {
    dialer_.reset();
    if (error) return Fail(OfDialing(error), error.message());
    Use(std::make_shared<PlainConnection>(std::move(socket), origin_), std::chrono::steady_clock::now());
  });
}

void PlainTransfer::Use(std::shared_ptr<PlainConnection> connection, SteadyTime now) {
  connected_at_ = now;
  connection_ = std::move(connection);
  connection_->SetUser(this);
  ExpectResponse();
  SendMore();
  connection_->Read();
}

void PlainTransfer::ExpectResponse() {
  parser_.emplace(static_cast<ResponseParser::Sink*>(this), request_.method == "HEAD");
}

// An error of writing is left to the read, which comes to the same end; until then the provider may have answered.
void PlainTransfer::SendMore() {
  for (int i = 0; i < kWritesPerTurn && sent_ < size_ && !write_failed_; ++i) {
    absl::InlinedVector<boost::asio::const_buffer, kPieces> buffers;
    size_t skip = sent_;
    const auto add = [&](std::string_view piece) {
      const size_t skipped = std::min(skip, piece.size());
      skip -= skipped;
      if (skipped < piece.size() && buffers.size() < kPieces)
        buffers.emplace_back(piece.data() + skipped, piece.size() - skipped);
    };
    add({head_.data(), head_.size()});
    for (const std::string_view piece : request_.body) add(piece);
    error_code error;
    sent_ += connection_->Write(buffers, error);
    if (error == boost::asio::error::would_block) break;
    write_failed_ = static_cast<bool>(error);
  }
  if (sent_ < size_ && !write_failed_) connection_->WaitUntilWritable();
}

void PlainTransfer::OnWritable(PlainConnection&) {
  uploaded_at_ = std::chrono::steady_clock::now();
  SendMore();
}

void PlainTransfer::OnRead(PlainConnection& connection, const error_code& error) {
  if (connection.buffer().size() > 0) reused_ = false;
  now_ = std::chrono::steady_clock::now();
  parsing_ = true;  // the handler may cancel or resume from inside: both then leave the rest to what follows here
  const Parsed parsed = Parse();
  parsing_ = false;
  if (handler() == nullptr) return client_.Drop(this);
  if (parsed == Parsed::kDone) return Complete(static_cast<bool>(error));
  if (parsed == Parsed::kMalformed) {
    client_.NoteInvalidAnswer(origin_);
    return Fail(TransportError::kRead, "the answer is not valid HTTP/1.1");
  }
  if (parsed == Parsed::kRefused) return Fail(TransportError::kRead, kNobodySwitches);
  if (error) return OnReadError(error);
  if (!paused_) connection_->Read();  // back-pressure: what is not read stays in the socket, and the provider waits
}

PlainTransfer::Parsed PlainTransfer::Parse() {
  ReadBuffer& buffer = connection_->buffer();
  while (buffer.size() > 0 && !parser_->done() && handler() != nullptr) {
    error_code error;
    const size_t taken = parser_->Feed(buffer.view(), error);
    buffer.Consume(taken);
    if (error && error != boost::beast::http::error::need_more) return Parsed::kMalformed;
    if (!head_given_ && (head_bytes_ += taken) > kMaxHead) return Parsed::kMalformed;
    if (parser_->head_done() && parser_->interim()) {
      if (parser_->status() == kSwitchingProtocols) return Parsed::kRefused;
      ExpectResponse();
    } else if (parser_->head_done() && !std::exchange(head_given_, true)) {
      NoteHead(now_);
      handler()->OnHead(parser_->TakeHead());
    } else if (taken == 0) {
      break;
    }
  }
  return parser_->done() ? Parsed::kDone : Parsed::kMore;
}

bool PlainTransfer::OnBody(std::string_view bytes) {
  Deliver(bytes, now_);
  return handler() != nullptr;
}

void PlainTransfer::OnReadError(const error_code& error) {
  if (error == boost::asio::error::eof && parser_->End()) return Complete(true);
  if (reused_) {
    reused_ = false;
    sent_ = 0;
    write_failed_ = false;
    std::exchange(connection_, nullptr)->Close();
    return Dial();
  }
  const bool ended = error == boost::asio::error::eof;
  Fail(write_failed_ && !head_read() ? TransportError::kSend : TransportError::kRead,
       ended ? "the connection was closed before the end of the answer" : error.message());
}

void PlainTransfer::Complete(bool connection_ended) {
  if (connection_->buffer().size() > 0) LogSurplus(request_.provider);
  const bool reusable =
      !connection_ended && parser_->keep_alive() && sent_ == size_ && connection_->buffer().size() == 0;
  if (reusable) connection_->SetProvider(request_.provider);
  if (reusable) client_.KeepIdle(std::exchange(connection_, nullptr), now_);
  client_.Finish(this, Result(TransportError::kNone, "", now_));
}

void PlainTransfer::Fail(TransportError error, std::string_view reason) {
  client_.Finish(this, Result(error, reason, std::chrono::steady_clock::now()));
}

void PlainTransfer::Resume() {
  const SteadyTime now = std::chrono::steady_clock::now();
  if (TakeBackPause(now) && !parsing_) connection_->Read();  // else OnRead reads on
}

void PlainTransfer::Cancel() {
  if (!is_linked() || handler() == nullptr) return;
  Abandon();
  if (!parsing_) client_.Drop(this);  // else OnRead does, once it is out of the parser
}

void PlainTransfer::TimeOut(TransportError error, SteadyTime now) {
  client_.Finish(this, Result(error, kTimedOut, now));
}

SteadyTime PlainTransfer::ConnectDeadline(SteadyTime) const {
  return After(dialed_at_, request_.connect_timeout);
}

}  // namespace ccr::proxy

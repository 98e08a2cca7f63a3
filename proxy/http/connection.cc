#include "proxy/http/connection.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/system/errc.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "broker/base/absl_text.h"
#include "proxy/core/format.h"
#include "proxy/http/access_log.h"
#include "proxy/http/request_id.h"
#include "proxy/http/write_answer.h"
#include "proxy/request/gate.h"

namespace ccr::proxy {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using HttpError = boost::beast::http::error;

constexpr size_t kHeadRead = 8 * 1024;
constexpr size_t kBodyRead = 64 * 1024;
constexpr size_t kKeptInput = 16 * 1024;

// Unspecified when it is gone.
asio::ip::address PeerOf(const Socket& socket) {
  error_code error;
  const asio::ip::address address = socket.remote_endpoint(error).address();
  if (error || !address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
}

OwnAnswer NoRoomForBody() {
  return {503, "the requests in progress take all the memory there is for bodies (Proxy.max_buffered_bytes)",
          absl::Seconds(1)};
}

// Whether more than the head decides the answer.
bool NeedsBody(const Target& target, const RoutingTable& table) {
  switch (target.endpoint) {
    case Endpoint::kMessages:
    case Endpoint::kCountTokens:
    case Endpoint::kChatCompletions:
    case Endpoint::kResponses:
    case Endpoint::kEmbeddings:
    case Endpoint::kGenerate:
    case Endpoint::kStreamGenerate:
    case Endpoint::kGeminiCount:
      return true;
    case Endpoint::kPassthrough:
      return table.FindProvider(target.provider) != nullptr;
    default:
      return false;
  }
}

OwnAnswer ParseFault(const error_code& error) {
  if (error == HttpError::header_limit)
    return {431, "the request's head, or the framing of its body, is too large", std::nullopt};
  if (error == HttpError::body_limit) return {413, "the request's body is too large", std::nullopt};
  if (error == boost::system::errc::not_enough_memory) return NoRoomForBody();
  return {400, "the request is not well-formed HTTP/1.1", std::nullopt};
}

}  // namespace

Connection::Connection(Server& server, Socket socket)
    : server_(server), socket_(std::move(socket)), writer_([this] { ScheduleTurnEnd(); }) {
  server_.count.open.fetch_add(1, std::memory_order_relaxed);
  server_.observer.OnConnection(ConnectionEvent::kOpened);
}

void Connection::Start() {
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  self_ = shared_from_this();
  const asio::ip::address peer = PeerOf(socket_);
  loopback_ = peer.is_loopback();
  address_ = peer.to_string();
  request_.client = address_;
  BeginRequest();
  Touch(Limits()->header_timeout);
  Read();
}

void Connection::StartRejected() {
  server_.observer.OnConnection(ConnectionEvent::kRejected);
  self_ = shared_from_this();
  state_ = State::kExchange;
  writer_.Reset({.http10 = false, .head_only = false, .keep_alive = false});
  WriteError(writer_, Format::kChat, {503, "the proxy has too many connections", absl::Seconds(1)});
  Read();
}

std::shared_ptr<const RoutingTable> Connection::Limits() const {
  static const auto kDefaults = std::make_shared<const RoutingTable>();
  auto table = server_.leases.routing();
  return table ? table : kDefaults;
}

void Connection::BeginRequest() {
  const auto limits = Limits();
  state_ = State::kHead;
  EnterIdle();
  request_.Clear();
  request_.charge.Use(&server_.bodies, limits->max_buffered_bytes);
  parser_.emplace(&request_, limits->max_head_bytes, limits->max_body_bytes);
  writer_.Reset({});
  Touch(in_.size() > 0 ? limits->header_timeout : limits->idle_timeout);
}

// Reading.

size_t Connection::ReadSize() const {
  return state_ == State::kBody || state_ == State::kLinger ? kBodyRead : kHeadRead;
}

void Connection::Read() {
  if (reading_ || state_ == State::kClosed) return;
  const bool ahead = state_ == State::kExchange || state_ == State::kHeld;
  if (ahead && in_.size() >= kMaxReadAhead) return;
  if (ahead) in_.Trim(kKeptInput);
  reading_ = true;
  socket_.async_read_some(in_.Prepare(ReadSize()), [self = shared_from_this()](const error_code& error, size_t size) {
    self->OnRead(error, size);
  });
}

void Connection::OnRead(const error_code& error, size_t size) {
  reading_ = false;
  if (state_ == State::kClosed) return;
  if (error) return OnReadEnd(error);
  in_.Commit(size);
  if (state_ == State::kLinger) in_.Clear();
  if (state_ == State::kHead && !parser_->started() && in_.size() == size) Touch(Limits()->header_timeout);
  if (state_ == State::kBody) Touch(Limits()->idle_timeout);
  Parse();
  Read();
}

// A request that was cut short or waits for its answer ends here: there is nobody to tell. An answer that is complete
// is still written, since the client may have closed its own direction only.
void Connection::OnReadEnd(const error_code& error) {
  const bool answered = state_ == State::kExchange && writer_.ended();
  if (error != asio::error::eof || !answered) return Close();
  writer_.ForbidKeepAlive();
}

void Connection::SkipBlankLines() {
  const std::string_view bytes = in_.view();
  in_.Consume(std::min(bytes.find_first_not_of("\r\n"), bytes.size()));
}

void Connection::Parse() {
  if (state_ == State::kHead && !parser_->started()) SkipBlankLines();
  while (in_.size() > 0 && (state_ == State::kHead || state_ == State::kBody)) {
    error_code error;
    in_.Consume(parser_->Feed(in_.view(), error));
    if (error == HttpError::need_more) return;
    if (error) return OnParseError(error);
    if (state_ == State::kHead && parser_->head_done()) {
      OnHead();
    } else if (state_ == State::kBody && parser_->done()) {
      BeginExchange();
    }
  }
}

void Connection::OnHead() {
  LeaveIdle();
  target_ = ParseTarget(request_.method, request_.target);
  writer_.Reset({.http10 = request_.version == 10,
                 .head_only = request_.method == "HEAD",
                 .keep_alive = request_.keep_alive && !draining_});
  Name(request_.Find("x-request-id"));
  if (server_.leases.routing() != nullptr || !NeedsTable(target_.endpoint)) return Judge(*Limits());
  state_ = State::kHeld;
  Touch(server_.broker_wait);
}

void Connection::TickHeld(absl::Time now) {
  if (const auto table = server_.leases.routing()) {
    Judge(*table);
    Parse();
    return Read();
  }
  if (now >= deadline_) Refuse({503, "the key broker cannot be reached now", absl::Seconds(1)});
}

void Connection::Judge(const RoutingTable& table) {
  const auto refusal = RefuseEntry(request_, target_, table, {server_.listen_host, loopback_});
  if (refusal) return Refuse(*refusal);
  if (NeedsBody(target_, table)) return ExpectBody(table);
  if (!parser_->done()) writer_.ForbidKeepAlive();
  BeginExchange();
}

void Connection::ExpectBody(const RoutingTable& table) {
  if (parser_->done()) return BeginExchange();
  if (!request_.charge.Fits(parser_->declared().value_or(0))) return Refuse(NoRoomForBody());
  state_ = State::kBody;
  Touch(table.idle_timeout);
  const bool waits = absl::EqualsIgnoreCase(ToAbsl(request_.Find("expect")), "100-continue");
  if (waits && request_.version == 11 && in_.size() == 0) writer_.Continue();
}

void Connection::Name(std::string_view from_client) {
  request_.id = RequestIdFor(from_client);
  named_at_ = server_.clock.Now();
  writer_.SetRequestId(request_.id);
}

void Connection::EnterIdle() {
  idle_since_ = server_.clock.Now();
  if (IdleHook::is_linked()) return;
  server_.idle.push_back(*this);
  server_.count.idle.fetch_add(1, std::memory_order_relaxed);
}

void Connection::LeaveIdle() {
  if (!IdleHook::is_linked()) return;
  IdleHook::unlink();
  server_.count.idle.fetch_sub(1, std::memory_order_relaxed);
}

void Connection::OnParseError(const error_code& error) {
  if (state_ == State::kHead) {
    LeaveIdle();
    target_ = ParseTarget(request_.method, request_.target);
    writer_.Reset({.http10 = request_.version == 10, .head_only = false, .keep_alive = false});
  }
  Refuse(ParseFault(error));
}

void Connection::Refuse(const OwnAnswer& answer) {
  const Endpoint endpoint = target_.endpoint;
  if (request_.id.empty()) Name({});
  if (!parser_->done()) writer_.ForbidKeepAlive();
  request_.DropBody();
  LeaveIdle();
  state_ = State::kExchange;
  deadline_ = absl::InfiniteFuture();
  server_.observer.OnRequestStarted();
  WriteError(writer_, ClientFormat(endpoint), answer);
  RequestSummary summary;
  summary.endpoint = endpoint;
  summary.status = answer.status;
  server_.observer.OnRequestEnded(summary);
  AccessEntry entry;
  entry.endpoint = endpoint;
  entry.status = answer.status;
  entry.end = "refused";
  entry.total = server_.clock.Now() - named_at_;
  LogAccess(request_, entry);
}

void Connection::BeginExchange() {
  state_ = State::kExchange;
  deadline_ = absl::InfiniteFuture();
  exchange_ = std::make_unique<Exchange>(server_, writer_, request_, target_, [this] { ScheduleTurnEnd(); });
  exchange_->Start();
}

// Writing.

void Connection::ScheduleTurnEnd() {
  if (std::exchange(turn_end_scheduled_, true)) return;
  asio::post(server_.loop, [self = shared_from_this()] { self->OnTurnEnd(); });
}

void Connection::OnTurnEnd() {
  turn_end_scheduled_ = false;
  if (state_ == State::kClosed) return;
  if (exchange_ && exchange_->done()) exchange_.reset();
  Write();
}

void Connection::Write() {
  if (writing_) return;
  const std::string_view bytes = writer_.Unsent();
  if (bytes.empty()) return EndAnswer();
  writing_ = true;
  write_deadline_ = server_.clock.Now() + Limits()->idle_timeout;
  socket_.async_write_some(
      asio::buffer(bytes.data(), bytes.size()),
      [self = shared_from_this()](const error_code& error, size_t size) { self->OnWritten(error, size); });
}

void Connection::OnWritten(const error_code& error, size_t size) {
  writing_ = false;
  write_deadline_ = absl::InfiniteFuture();
  if (state_ == State::kClosed) return;
  if (error) return Close();
  writer_.Sent(size);
  if (exchange_ && writer_.low()) exchange_->OnWritable();
  Write();
}

// Everything that was to be written is: is the answer complete?
void Connection::EndAnswer() {
  if (state_ != State::kExchange || exchange_ || !writer_.ended()) return;
  if (writer_.aborted()) return CloseBroken();
  served_ = true;
  if (!writer_.keep_alive() || draining_) return BeginLinger();
  BeginRequest();
  Parse();
  Read();
}

void Connection::BeginLinger() {
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  state_ = State::kLinger;
  request_.DropBody();
  in_.Clear();
  Touch(kLinger);
  Read();
}

void Connection::CloseBroken() {
  error_code ignored;
  if (writer_.close_delimited()) socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  Close();
}

// The end.

void Connection::Tick(absl::Time now) {
  if (state_ == State::kClosed) return;
  if (now >= write_deadline_) return Close();
  if (exchange_) exchange_->Tick(now);
  if (state_ == State::kHeld) return TickHeld(now);
  if (now < deadline_) return;
  deadline_ = absl::InfiniteFuture();
  const bool expected = HeadBegun() || (state_ == State::kHead && !served_);
  if (!expected || draining_) return Close();
  target_ = Target();
  writer_.Reset({.http10 = false, .head_only = false, .keep_alive = false});
  Refuse({408, "the request's head did not arrive in time", std::nullopt});
}

void Connection::Drain() {
  draining_ = true;
  writer_.ForbidKeepAlive();
  if (state_ != State::kHead || HeadBegun()) return;
  if (served_) return Close();
  deadline_ = std::min(deadline_, server_.clock.Now() + kDrainGrace);
}

void Connection::Close() {
  if (std::exchange(state_, State::kClosed) == State::kClosed) return;
  const auto self = std::move(self_);
  exchange_.reset();
  request_.DropBody();
  LeaveIdle();
  server_.count.open.fetch_sub(1, std::memory_order_relaxed);  // who sees the end may come again at once
  error_code ignored;
  socket_.close(ignored);
  OpenHook::unlink();
  server_.observer.OnConnection(ConnectionEvent::kClosed);
}

}  // namespace ccr::proxy

// One client connection: HTTP/1.1 with keep-alive, one request at a time.
#pragma once

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "proxy/http/exchange.h"
#include "proxy/http/request_parser.h"
#include "proxy/http/response_writer.h"
#include "proxy/http/server.h"
#include "proxy/request/own_answer.h"
#include "proxy/request/request.h"
#include "proxy/upstream/read_buffer.h"

namespace ccr::proxy {

using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

// Lives from Start until its socket is closed and its last operation has ended, all on one loop. A read is always
// pending (but for a client that has sent far ahead), so that a client that goes is seen at once: its exchange is then
// given up.
//
// No body is read before the head has been judged: what it alone decides (who asks, for which endpoint, whether there
// is a routing table) is answered then.
//
// Limits and their answers: size of the head or of a chunked body's framing 431, header time 408, body size 413, memory
// of all bodies 503, malformed 400; closed without one: a keep-alive connection that is idle, a body or a reader that
// stalls, each for idle_timeout. An answer that goes out before the body was read ends the connection, softly: it goes
// on reading for a moment, or the client would lose the answer to a reset.
//
// While it waits for a request's head it stands in Server::idle and may be closed in favour of another.
//
// Back-pressure: the exchange fills the writer, one write at a time empties it, and the exchange is told when it is
// low.
class Connection final
    : public std::enable_shared_from_this<Connection>,
      public IdleConnection,
      public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  static constexpr absl::Duration kLinger = absl::Seconds(2);
  static constexpr absl::Duration kDrainGrace = absl::Seconds(1);
  static constexpr size_t kMaxReadAhead = 64 * 1024;

  Connection(Server& server, Socket socket);
  ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Start();
  void StartRejected();       // answers 503 at once: there are too many connections
  void Tick(absl::Time now);  // deadlines; about ten times a second
  void Drain();               // no request after the present one; closes soon when there is none
  void Close();
  void GiveUp() override { Close(); }

 private:
  using OpenHook = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
  // kHeld: the head is complete, and waits for the first routing table.
  enum class State { kHead, kHeld, kBody, kExchange, kLinger, kClosed };

  void BeginRequest();
  void Read();
  void OnRead(const boost::system::error_code& error, size_t size);
  void OnReadEnd(const boost::system::error_code& error);
  size_t ReadSize() const;
  void Parse();
  void SkipBlankLines();
  bool HeadBegun() const { return state_ == State::kHead && (parser_->started() || in_.size() > 0); }
  void OnHead();
  void Judge(const RoutingTable& table);
  void ExpectBody(const RoutingTable& table);
  void EnterIdle();
  void LeaveIdle();
  void Name(std::string_view from_client);
  void OnParseError(const boost::system::error_code& error);
  void Refuse(const OwnAnswer& answer);
  void BeginExchange();
  void TickHeld(absl::Time now);

  void ScheduleTurnEnd();
  void OnTurnEnd();
  void Write();
  void OnWritten(const boost::system::error_code& error, size_t size);
  void EndAnswer();
  void BeginLinger();
  void CloseBroken();
  void Touch(absl::Duration allowance) { deadline_ = server_.clock.Now() + allowance; }
  std::shared_ptr<const RoutingTable> Limits() const;

  Server& server_;
  Socket socket_;
  std::shared_ptr<Connection> self_;  // until Close
  State state_ = State::kHead;
  std::string address_;  // of the peer
  bool loopback_ = false;
  bool reading_ = false;
  bool writing_ = false;
  bool turn_end_scheduled_ = false;
  bool served_ = false;  // at least one request
  bool draining_ = false;
  absl::Time deadline_ = absl::InfiniteFuture();  // of the present state
  absl::Time write_deadline_ = absl::InfiniteFuture();
  ReadBuffer in_;
  Request request_;
  Target target_;        // of request_, as the next
  absl::Time named_at_;  // when its head was complete
  std::optional<RequestParser> parser_;
  ResponseWriter writer_;
  std::unique_ptr<Exchange> exchange_;
};

}  // namespace ccr::proxy

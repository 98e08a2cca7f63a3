// Beast's HTTP/1 parser, filling an UpstreamHead and handing the body over.
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/upstream/client.h"
#include "proxy/upstream/response_head.h"

namespace ccr::proxy {

// Parses one message. Feed it the unconsumed bytes until done(): it stops behind the head once. A head may have 256
// KiB, and so may what stands around the chunks of a body. Errors are boost::beast::http::error: need_more (not a
// fault), anything else is a malformed message, or the end that the sink asked for.
class ResponseParser final : private boost::beast::http::basic_parser<false> {
 public:
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual bool OnBody(std::string_view bytes) = 0;  // false: no more
  };

  // `head_only`: the response to a HEAD request.
  ResponseParser(Sink* sink, bool head_only);

  // Returns how many bytes it took. Those it did not take it wants to see again, with more.
  size_t Feed(std::string_view bytes, boost::system::error_code& error);
  // The connection has ended; whether that completes the message.
  bool End();

  bool started() const { return got_some(); }
  bool head_done() const { return is_header_done(); }
  bool done() const { return is_done(); }
  // Once the head is done:
  int status() const { return status_; }
  bool interim() const { return status_ < 200; }
  bool keep_alive() const { return basic_parser::keep_alive(); }
  UpstreamHead TakeHead() { return head_.Take(); }

 private:
  using Error = boost::system::error_code;
  using View = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb, View, View, int, Error&) override {}
  void on_response_impl(int status, View reason, int version, Error&) override;
  void on_field_impl(boost::beast::http::field, View name, View value, Error&) override;
  void on_header_impl(Error&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Error&) override {}
  size_t on_body_impl(View bytes, Error& error) override;
  void on_chunk_header_impl(std::uint64_t, View, Error&) override {}
  size_t on_chunk_body_impl(std::uint64_t, View bytes, Error& error) override;
  void on_finish_impl(Error&) override {}

  Sink* const sink_;
  int status_ = 0;
  ResponseHead head_;
};

}  // namespace ccr::proxy

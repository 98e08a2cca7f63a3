// Beast's HTTP/1 parser, filling a Request without an allocation per field.
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "proxy/request/request.h"

namespace ccr::proxy {

// Parses one message. Feed it the unconsumed bytes until done(): it stops behind the head once, so that the caller can
// look at it before the body is read. Errors are boost::beast::http::error: header_limit, body_limit (a Content-Length
// is judged with the head, chunks as they come), need_more (not a fault); errc::not_enough_memory, when the request's
// charge does not allow the body; anything else is a malformed message.
//
// max_head_bytes bounds the head, and in a chunked body each chunk-size line, the trailers, and all chunk extensions
// together. The body's memory is what came, twice at most.
class RequestParser final : private boost::beast::http::basic_parser<true> {
 public:
  // `request` is clear, and outlives the parser.
  RequestParser(Request* request, uint64_t max_head_bytes, uint64_t max_body_bytes);

  // Returns how many bytes it took. Those it did not take it wants to see again, with more. The request's views are
  // valid once the head is done, or an error says that it never will be.
  size_t Feed(std::string_view bytes, boost::system::error_code& error);

  // Of a body whose head is done; nothing for chunks.
  std::optional<uint64_t> declared() const;
  bool started() const { return got_some(); }
  bool head_done() const { return is_header_done(); }
  bool done() const { return is_done(); }

 private:
  using Error = boost::system::error_code;
  using View = boost::beast::string_view;

  // Where a piece stands in the request's text, which may still grow and move.
  struct Piece {
    size_t begin;
    size_t size;
  };
  Piece Keep(View text);
  std::string_view At(const Piece& piece) const;
  void MakeViews();
  size_t Append(View bytes, Error& error);

  void on_request_impl(boost::beast::http::verb, View method, View target, int version, Error&) override;
  void on_response_impl(int, View, int, Error&) override {}
  void on_field_impl(boost::beast::http::field field, View name, View value, Error& error) override;
  void on_header_impl(Error& error) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Error&) override {}
  size_t on_body_impl(View bytes, Error& error) override { return Append(bytes, error); }
  void on_chunk_header_impl(std::uint64_t, View extensions, Error& error) override;
  size_t on_chunk_body_impl(std::uint64_t, View bytes, Error& error) override { return Append(bytes, error); }
  void on_finish_impl(Error&) override {}

  Request* const request_;
  const uint64_t max_head_bytes_;
  Piece method_{};
  Piece target_{};
  absl::InlinedVector<std::pair<Piece, Piece>, 24> fields_;
  size_t capacity_ = 0;  // of the body, charged
  size_t extension_bytes_ = 0;
  uint32_t seen_ = 0;  // which of the fields that may come once only
  bool head_complete_ = false;
};

}  // namespace ccr::proxy

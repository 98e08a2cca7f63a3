#include "proxy/upstream/response_parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/http/error.hpp>

namespace ccr::proxy {
namespace {

namespace http = boost::beast::http;

}  // namespace

ResponseParser::ResponseParser(Sink* sink, bool head_only) : sink_(sink) {
  header_limit(kMaxHead);
  body_limit(boost::none);
  skip(head_only);
}

size_t ResponseParser::Feed(std::string_view bytes, Error& error) {
  const size_t taken = put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  if (error == http::error::need_more && bytes.size() - taken > kMaxHead) error = http::error::header_limit;
  return taken;
}

bool ResponseParser::End() {
  if (!started()) return false;
  Error error;
  put_eof(error);
  return !error;
}

void ResponseParser::on_response_impl(int status, View, int, Error&) {
  status_ = status;
  head_.Begin(status);
}

void ResponseParser::on_field_impl(http::field, View name, View value, Error&) {
  if (head_done()) return;  // a trailer
  head_.AddHeader({name.data(), name.size()}, {value.data(), value.size()});
}

size_t ResponseParser::on_body_impl(View bytes, Error& error) {
  if (!sink_->OnBody({bytes.data(), bytes.size()})) error = boost::asio::error::operation_aborted;
  return bytes.size();
}

size_t ResponseParser::on_chunk_body_impl(std::uint64_t, View bytes, Error& error) {
  return on_body_impl(bytes, error);
}

}  // namespace ccr::proxy

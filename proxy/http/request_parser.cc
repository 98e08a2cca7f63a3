#include "proxy/http/request_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "broker/base/absl_text.h"

namespace ccr::proxy {
namespace {

namespace http = boost::beast::http;

constexpr size_t kKeptText = 16 * 1024;
constexpr size_t kKeptBody = 256 * 1024;
constexpr size_t kBodyReserve = 1024 * 1024;

}  // namespace

std::string_view Request::Find(std::string_view name) const {
  for (const Field& field : fields)
    if (absl::EqualsIgnoreCase(ToAbsl(field.name), ToAbsl(name))) return field.value;
  return {};
}

void Request::Clear() {
  method = target = {};
  version = 11;
  keep_alive = true;
  has_body = false;
  fields.clear();
  body.clear();
  text.clear();
  if (body.capacity() > kKeptBody) body.shrink_to_fit();
  if (text.capacity() > kKeptText) text.shrink_to_fit();
}

RequestParser::RequestParser(Request* request, uint64_t max_head_bytes, uint64_t max_body_bytes)
    : request_(request), max_head_bytes_(max_head_bytes) {
  header_limit(static_cast<uint32_t>(max_head_bytes));
  body_limit(max_body_bytes);
}

size_t RequestParser::Feed(std::string_view bytes, boost::system::error_code& error) {
  const size_t taken = put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  if (error && error != http::error::need_more && !head_complete_) MakeViews();
  return taken;
}

RequestParser::Piece RequestParser::Keep(View text) {
  const Piece piece{request_->text.size(), text.size()};
  request_->text.append(text.data(), text.size());
  return piece;
}

std::string_view RequestParser::At(const Piece& piece) const {
  return std::string_view(request_->text).substr(piece.begin, piece.size);
}

void RequestParser::MakeViews() {
  request_->method = At(method_);
  request_->target = At(target_);
  request_->fields.reserve(fields_.size());
  for (const auto& [name, value] : fields_) request_->fields.push_back({At(name), At(value)});
}

void RequestParser::on_request_impl(http::verb, View method, View target, int version, Error&) {
  method_ = Keep(method);
  target_ = Keep(target);
  request_->version = version;
}

void RequestParser::on_field_impl(http::field field, View name, View value, Error& error) {
  if (head_complete_) return;  // a trailer
  if (field == http::field::host && std::exchange(has_host_, true)) error = http::error::bad_field;
  if (field == http::field::transfer_encoding && !boost::beast::iequals(value, "chunked"))
    error = http::error::bad_transfer_encoding;
  // Beast's own limit is on what it has not yet consumed.
  if (request_->text.size() + name.size() + value.size() > max_head_bytes_) error = http::error::header_limit;
  const Piece kept_name = Keep(name);
  fields_.emplace_back(kept_name, Keep(value));
}

void RequestParser::on_header_impl(Error&) {
  head_complete_ = true;
  request_->keep_alive = keep_alive();
  request_->has_body = chunked() || content_length().has_value();
  MakeViews();
}

void RequestParser::on_body_init_impl(const boost::optional<std::uint64_t>& content_length, Error&) {
  if (content_length) request_->body.reserve(std::min<uint64_t>(*content_length, kBodyReserve));
}

size_t RequestParser::on_body_impl(View bytes, Error&) {
  request_->body.append(bytes.data(), bytes.size());
  return bytes.size();
}

size_t RequestParser::on_chunk_body_impl(std::uint64_t, View bytes, Error&) {
  request_->body.append(bytes.data(), bytes.size());
  return bytes.size();
}

}  // namespace ccr::proxy

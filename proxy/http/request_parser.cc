#include "proxy/http/request_parser.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/system/errc.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "proxy/core/ascii.h"

namespace ccr::proxy {
namespace {

namespace http = boost::beast::http;

// Decide who is served: two that differ would be judged by one of them. The first one must be there.
constexpr std::array<std::string_view, 3> kOnce = {"host", "origin", "sec-fetch-site"};
constexpr uint32_t kHost = 1;

constexpr size_t kLeastBody = 1024;
constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace

RequestParser::RequestParser(Request* request, uint64_t max_head_bytes, uint64_t max_body_bytes)
    : request_(request), max_head_bytes_(max_head_bytes) {
  header_limit(static_cast<uint32_t>(max_head_bytes));
  body_limit(max_body_bytes);
}

size_t RequestParser::Feed(std::string_view bytes, boost::system::error_code& error) {
  // Beast cannot take less of the last chunk, and no chunked body ends before so many bytes have come.
  if (head_complete_ && chunked() && bytes.size() < kLastChunk.size()) {
    error = http::error::need_more;
    return 0;
  }
  const size_t taken = put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  if (error && error != http::error::need_more && !head_complete_) MakeViews();
  if (error == http::error::need_more && bytes.size() - taken > max_head_bytes_) error = http::error::header_limit;
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
  for (size_t i = 0; i < kOnce.size(); ++i) {
    if (!SameWithoutCase(name, kOnce[i])) continue;
    if (seen_ & (kHost << i)) error = http::error::bad_field;
    seen_ |= kHost << i;
  }
  if (field == http::field::transfer_encoding && !boost::beast::iequals(value, "chunked"))
    error = http::error::bad_transfer_encoding;
  // Beast's own limit is on what it has not yet consumed.
  if (request_->text.size() + name.size() + value.size() > max_head_bytes_) error = http::error::header_limit;
  const Piece kept_name = Keep(name);
  fields_.emplace_back(kept_name, Keep(value));
}

void RequestParser::on_header_impl(Error& error) {
  if (!(seen_ & kHost) && request_->version == 11) error = http::error::bad_field;
  head_complete_ = true;
  request_->keep_alive = keep_alive();
  request_->has_body = chunked() || content_length().has_value();
  MakeViews();
}

void RequestParser::on_chunk_header_impl(std::uint64_t, View extensions, Error& error) {
  extension_bytes_ += extensions.size();
  if (extension_bytes_ > max_head_bytes_) error = http::error::header_limit;
}

std::optional<uint64_t> RequestParser::declared() const {
  const auto length = content_length();
  return length ? std::optional<uint64_t>(*length) : std::nullopt;
}

size_t RequestParser::Append(View bytes, Error& error) {
  std::string& body = request_->body;
  const size_t size = body.size() + bytes.size();
  if (size > capacity_) {
    capacity_ = std::max({size, 2 * body.size(), kLeastBody});
    capacity_ = std::min<uint64_t>(capacity_, std::max<uint64_t>(size, declared().value_or(capacity_)));
    if (!request_->charge.GrowTo(capacity_)) {
      error = boost::system::errc::make_error_code(boost::system::errc::not_enough_memory);
      return 0;
    }
    body.reserve(capacity_);
  }
  body.append(bytes.data(), bytes.size());
  return bytes.size();
}

}  // namespace ccr::proxy

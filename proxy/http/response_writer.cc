#include "proxy/http/response_writer.h"

#include <algorithm>
#include <boost/beast/http/status.hpp>
#include <charconv>
#include <ostream>

namespace ccr::proxy {
namespace {

constexpr size_t kKeptOutput = 32 * 1024;

std::string_view Reason(int status) {
  const auto reason = boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
  return {reason.data(), reason.size()};
}

template <typename Number>
std::string_view Digits(Number value, int base, char (&buffer)[24]) {
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, base).ptr;
  return {buffer, static_cast<size_t>(end - buffer)};
}

}  // namespace

void ResponseWriter::Reset(const Traits& traits) {
  traits_ = traits;
  request_id_.clear();
  own_fields_.clear();
  framing_ = Framing::kNone;
  remaining_ = 0;
  status_ = 0;
  started_ = ended_ = aborted_ = false;
  if (pending_.empty() && pending_.capacity() > kKeptOutput) pending_.shrink_to_fit();
  if (sending_.empty() && sending_.capacity() > kKeptOutput) sending_.shrink_to_fit();
}

void ResponseWriter::Append(std::string_view bytes) {
  const bool wake = pending_.empty() && !bytes.empty();
  pending_ += bytes;
  if (wake) on_bytes_();
}

void ResponseWriter::Continue() {
  Append("HTTP/1.1 100 Continue\r\n\r\n");
}

void ResponseWriter::BeginHead(int status) {
  char buffer[24];
  started_ = true;
  status_ = status;
  Append("HTTP/1.1 ");
  Append(Digits(status, 10, buffer));
  Append(" ");
  Append(Reason(status));
  Append("\r\n");
  if (!request_id_.empty()) Header("x-ccr-request-id", request_id_);
  Append(own_fields_);
}

void ResponseWriter::Header(std::string_view name, std::string_view value) {
  Append(name);
  Append(": ");
  Append(value);
  Append("\r\n");
}

ResponseWriter::Framing ResponseWriter::ChooseFraming(int64_t content_length) const {
  if (status_ == 204 || status_ == 304 || traits_.head_only) return Framing::kNone;
  if (content_length >= 0) return Framing::kLength;
  return traits_.http10 ? Framing::kUntilClose : Framing::kChunked;
}

void ResponseWriter::EndHead(int64_t content_length) {
  char buffer[24];
  framing_ = ChooseFraming(content_length);
  remaining_ = std::max<int64_t>(content_length, 0);
  if (framing_ == Framing::kUntilClose) traits_.keep_alive = false;
  if (framing_ == Framing::kChunked) Header("transfer-encoding", "chunked");
  if (content_length >= 0 && status_ != 204) Header("content-length", Digits(content_length, 10, buffer));
  if (!traits_.keep_alive) Header("connection", "close");
  if (traits_.keep_alive && traits_.http10) Header("connection", "keep-alive");
  Append("\r\n");
}

void ResponseWriter::Body(std::string_view bytes) {
  if (framing_ == Framing::kLength) {
    bytes = bytes.substr(0, static_cast<size_t>(remaining_));
    remaining_ -= static_cast<int64_t>(bytes.size());
  }
  if (framing_ == Framing::kNone || bytes.empty()) return;
  if (framing_ != Framing::kChunked) return Append(bytes);
  char buffer[24];
  Append(Digits(bytes.size(), 16, buffer));
  Append("\r\n");
  Append(bytes);
  Append("\r\n");
}

void ResponseWriter::End() {
  if (framing_ == Framing::kLength && remaining_ > 0) return Abort();
  if (framing_ == Framing::kChunked) Append("0\r\n\r\n");
  ended_ = true;
}

void ResponseWriter::Abort() {
  ended_ = aborted_ = true;
  traits_.keep_alive = false;
}

std::string_view ResponseWriter::Unsent() {
  if (sending_.empty()) sending_.swap(pending_);
  return std::string_view(sending_).substr(sent_);
}

void ResponseWriter::Sent(size_t size) {
  sent_ += size;
  if (sent_ < sending_.size()) return;
  sending_.clear();
  sent_ = 0;
}

}  // namespace ccr::proxy

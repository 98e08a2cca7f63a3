#include "proxy/formats/sse.h"

namespace ccr::proxy {

bool SseParser::Feed(std::string_view bytes, Sink sink) {
  while (!bytes.empty() && !over_limit_) {
    if (skip_lf_ && bytes[0] == '\n') bytes.remove_prefix(1);
    skip_lf_ = false;
    const size_t end = bytes.find_first_of("\r\n");
    over_limit_ = line_.size() + data_.size() + (end == bytes.npos ? bytes.size() : end) > max_event_bytes_;
    if (over_limit_) break;
    if (end == bytes.npos) {
      line_ += bytes;
      break;
    }
    skip_lf_ = bytes[end] == '\r';
    EndLine(bytes.substr(0, end), sink);
    bytes.remove_prefix(end + 1);
  }
  return !over_limit_;
}

void SseParser::Finish(Sink sink) {
  if (over_limit_) return;
  EndLine({}, sink);
  Dispatch(sink);
}

void SseParser::EndLine(std::string_view rest, Sink sink) {
  if (line_.empty()) return Line(rest, sink);
  line_ += rest;
  Line(line_, sink);
  line_.clear();
}

void SseParser::Line(std::string_view line, Sink sink) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (first_line_ && line.substr(0, kByteOrderMark.size()) == kByteOrderMark) line.remove_prefix(kByteOrderMark.size());
  first_line_ = false;
  if (line.empty()) return Dispatch(sink);
  const size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == line.npos ? std::string_view() : line.substr(colon + 1);
  if (!value.empty() && value[0] == ' ') value.remove_prefix(1);
  if (field == "event") {
    type_ = value;
  } else if (field == "data") {
    if (has_data_) data_ += '\n';
    has_data_ = true;
    data_ += value;
  }
}

void SseParser::Dispatch(Sink sink) {
  if (has_data_) sink({type_, data_});
  type_.clear();
  data_.clear();
  has_data_ = false;
}

void AppendSseEvent(std::string_view type, std::string_view data, std::string* out) {
  if (!type.empty()) out->append("event: ").append(type).append("\n");
  out->append("data: ").append(data).append("\n\n");
}

}  // namespace ccr::proxy

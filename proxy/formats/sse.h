// Server-sent events, both ways.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"

namespace ccr::proxy {

// The views live as long as the call that hands the event over.
struct SseEvent {
  std::string_view type;  // empty where the stream names none
  std::string_view data;  // the data lines joined by "\n"
};

// Reads events of the WHATWG format from bytes that may be split anywhere: lines end with LF, CRLF or CR, comments and
// unknown fields are skipped, a leading byte order mark too. Holds at most one event. Not thread-safe.
class SseParser {
 public:
  using Sink = absl::FunctionRef<void(const SseEvent&)>;
  static constexpr size_t kMaxEventBytes = size_t{16} << 20;

  explicit SseParser(size_t max_event_bytes = kMaxEventBytes) : max_event_bytes_(max_event_bytes) {}

  // Hands every event with data that the bytes complete to `sink`. False when an event grew over the limit: the parser
  // then reads no more, and every later call answers false.
  bool Feed(std::string_view bytes, Sink sink);

  // The stream ended properly: an event that only lacks its blank line counts.
  void Finish(Sink sink);

 private:
  void EndLine(std::string_view rest, Sink sink);
  void Line(std::string_view line, Sink sink);
  void Dispatch(Sink sink);

  const size_t max_event_bytes_;
  std::string line_;  // the beginning of a line whose end has not come
  std::string type_;
  std::string data_;
  bool has_data_ = false;
  bool first_line_ = true;
  bool skip_lf_ = false;  // the last byte was a CR: an LF behind it belongs to it
  bool over_limit_ = false;
};

// Appends one event. `type` may be empty. Neither may hold a line break.
void AppendSseEvent(std::string_view type, std::string_view data, std::string* out);

}  // namespace ccr::proxy

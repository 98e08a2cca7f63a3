// The chunks of an HTTP/1.1 body (RFC 9112, 7.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ccr::proxy {

// Takes a chunked body apart. Lines may end with LF alone, as curl has it. A size line with its extensions, and all
// trailers together, may have kMaxHead. Thread-compatible.
class ChunkDecoder {
 public:
  // Takes bytes off the front of `bytes` and returns the next piece of the body among them, a view into them. Empty
  // when there is none: all are taken, the body is done (what is left does not belong to it), or it is malformed.
  std::string_view Next(std::string_view* bytes);

  bool done() const { return state_ == State::kDone; }
  bool malformed() const { return state_ == State::kMalformed; }

 private:
  enum class State { kSize, kExtension, kData, kDataEnd, kTrailers, kDone, kMalformed };

  State After(char c);
  State AfterSize(char c);
  State AfterLine();
  State AfterTrailer(char c);

  State state_ = State::kSize;
  int digits_ = 0;          // of the size
  uint64_t left_ = 0;       // of the chunk's data
  size_t line_bytes_ = 0;   // of the size line, or of all trailers
  bool empty_line_ = true;  // so far
};

}  // namespace ccr::proxy

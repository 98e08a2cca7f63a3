#include "proxy/upstream/chunk_decoder.h"

#include <algorithm>

#include "proxy/upstream/response_head.h"

namespace ccr::proxy {
namespace {

constexpr int kMaxDigits = 16;  // of a size

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view ChunkDecoder::Next(std::string_view* bytes) {
  while (!bytes->empty() && !done() && !malformed()) {
    if (state_ == State::kData) {
      const std::string_view piece = bytes->substr(0, left_);
      bytes->remove_prefix(piece.size());
      left_ -= piece.size();
      if (left_ == 0) state_ = State::kDataEnd;
      return piece;
    }
    state_ = After(bytes->front());
    bytes->remove_prefix(1);
  }
  return {};
}

ChunkDecoder::State ChunkDecoder::After(char c) {
  if (++line_bytes_ > kMaxHead) return State::kMalformed;
  switch (state_) {
    case State::kSize:
      return AfterSize(c);
    case State::kExtension:
      return c == '\n' ? AfterLine() : state_;
    case State::kDataEnd:
      if (c == '\r') return state_;
      return c == '\n' ? State::kSize : State::kMalformed;
    case State::kTrailers:
      return AfterTrailer(c);
    default:
      return state_;
  }
}

ChunkDecoder::State ChunkDecoder::AfterSize(char c) {
  const int digit = HexDigit(c);
  if (digit < 0) {
    if (digits_ == 0) return State::kMalformed;
    return c == '\n' ? AfterLine() : State::kExtension;
  }
  if (++digits_ > kMaxDigits) return State::kMalformed;
  left_ = left_ * 16 + static_cast<uint64_t>(digit);
  return State::kSize;
}

ChunkDecoder::State ChunkDecoder::AfterLine() {
  digits_ = 0;
  line_bytes_ = 0;
  return left_ == 0 ? State::kTrailers : State::kData;
}

ChunkDecoder::State ChunkDecoder::AfterTrailer(char c) {
  if (c == '\n' && empty_line_) return State::kDone;
  empty_line_ = c == '\n' || (empty_line_ && c == '\r');
  return State::kTrailers;
}

}  // namespace ccr::proxy

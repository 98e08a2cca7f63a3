// What the fuzz targets share. An input is a text and, as its last byte, a choice of the target's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace ccr::fuzz {

struct Input {
  Input(const uint8_t* data, size_t size)
      : text(reinterpret_cast<const char*>(data), size == 0 ? 0 : size - 1), choice(size == 0 ? 0 : data[size - 1]) {}
  std::string_view text;
  uint8_t choice;
};

inline void Require(bool holds, std::string_view what = {}) {
  if (holds) return;
  std::fprintf(stderr, "broken: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

// Calls feed(piece) for the pieces of `text`, each at most `step` bytes. They are copies on the heap that end where the
// piece ends, so that a read beyond it is seen.
template <typename Feed>
void InPieces(std::string_view text, size_t step, Feed feed) {
  std::vector<char> copy;
  for (size_t at = 0; at < text.size(); at += step) {
    const std::string_view piece = text.substr(at, step);
    if (copy.size() != piece.size()) copy = std::vector<char>(piece.size());
    std::copy(piece.begin(), piece.end(), copy.begin());
    feed(std::string_view(copy.data(), copy.size()));
  }
}

}  // namespace ccr::fuzz

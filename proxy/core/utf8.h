// UTF-8, a character at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ccr::proxy {

// U+FFFD, which stands for what is no character.
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Bytes of the well-formed character (Unicode, table 3-7) that `text`, which is not empty, begins with; 0 when it is
// none.
size_t Utf8Length(std::string_view text);

// Appends a code point, which must be no surrogate.
void AppendUtf8(uint32_t rune, std::string* out);

// UTF-16 units that are half a character beyond U+FFFF, and the character that two of them are.
constexpr bool IsHighSurrogate(uint32_t unit) {
  return unit >= 0xD800 && unit <= 0xDBFF;
}
constexpr bool IsLowSurrogate(uint32_t unit) {
  return unit >= 0xDC00 && unit <= 0xDFFF;
}
constexpr uint32_t JoinSurrogates(uint32_t high, uint32_t low) {
  return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

}  // namespace ccr::proxy

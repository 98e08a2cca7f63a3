#include <gtest/gtest.h>

#include <string>

#include "proxy/core/json/text.h"

namespace ccr::proxy {
namespace {

// Each byte alone, at each place of a run that is longer than what is looked at in one go.
TEST(JsonText, EveryByteIsWrittenRightWhereverItStands) {
  for (int value = 0; value < 256; ++value) {
    const char byte = static_cast<char>(value);
    std::string written;
    if (byte == '"' || byte == '\\') {
      written = {'\\', byte};
    } else if (byte == '\n' || byte == '\r' || byte == '\t') {
      written = byte == '\n' ? "\\n" : byte == '\r' ? "\\r" : "\\t";
    } else if (value < 0x20) {
      constexpr char kHex[] = "0123456789abcdef";
      written = std::string("\\u00") + kHex[value >> 4] + kHex[value & 15];
    } else if (value < 0x80) {
      written = std::string(1, byte);
    } else {
      written = "\xEF\xBF\xBD";  // no character by itself
    }
    for (size_t before = 0; before < 40; ++before) {
      for (const size_t after : {size_t{0}, size_t{1}, size_t{15}, size_t{16}, size_t{33}}) {
        const std::string head(before, 'a');
        const std::string tail(after, 'z');
        ASSERT_EQ(JsonString(head + byte + tail), "\"" + head + written + tail + "\"") << value << " at " << before;
      }
    }
  }
}

TEST(JsonText, CharactersBeyondAsciiStandAsTheyAre) {
  for (const std::string character : {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"}) {
    for (size_t before = 0; before < 20; ++before) {
      const std::string text = std::string(before, 'a') + character + character + "z";
      EXPECT_EQ(JsonString(text), "\"" + text + "\"");
    }
  }
}

}  // namespace
}  // namespace ccr::proxy

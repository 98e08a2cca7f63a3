// What Chinese text costs in tokens, by its characters.
#pragma once

#include <cstdint>
#include <string_view>

namespace ccr::proxy {

// The tokens that the characters U+4E00 to U+9FFF of a UTF-8 text take beyond one each: rarer ones take two, and some
// frequent words of two take one together. Technical text is full of these words and a story has hardly any, which
// makes 0.9 or 1.3 tokens a character; no charge by the lead byte can tell. A character cut at an end of `text` counts
// nothing.
int64_t ChineseExcess(std::string_view text);

}  // namespace ccr::proxy

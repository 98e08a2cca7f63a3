// JSON strings, both ways.
#pragma once

#include <string>
#include <string_view>

namespace ccr::proxy {

// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string_view text, std::string* out);
std::string JsonString(std::string_view text);

// The text of a well-formed JSON string, given with its quotes. A lone surrogate becomes U+FFFD.
std::string DecodeJsonString(std::string_view quoted);

// Whether that text is `text`.
bool JsonStringIs(std::string_view quoted, std::string_view text);

}  // namespace ccr::proxy

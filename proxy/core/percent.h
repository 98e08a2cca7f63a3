// Percent-encoding (RFC 3986, 2.1).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ccr::proxy {

// Nothing when a '%' is not followed by two hexadecimal digits.
std::optional<std::string> PercentDecode(std::string_view text);
// A '%' that is not followed by two hexadecimal digits stands for itself.
std::string PercentDecodeLeniently(std::string_view text);

}  // namespace ccr::proxy

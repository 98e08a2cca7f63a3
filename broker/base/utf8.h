// UTF-8, a character at a time.
#pragma once

#include <cstddef>
#include <string_view>

namespace ccr {

// Bytes of the sequence that `text`, which is not empty, begins with; 0 when it is none (RFC 3629: no surrogates,
// shortest form only).
size_t Utf8Length(std::string_view text);

}  // namespace ccr

// What a request is called: in its answer, in logs, and to the broker.
#pragma once

#include <string>
#include <string_view>

namespace ccr::proxy {

inline constexpr size_t kMaxRequestId = 128;

// The client's `x-request-id` where it is 1 to 128 printable characters without blanks, and does not look like a
// credential; else a new one: 20 hexadecimal digits that nobody can guess.
std::string RequestIdFor(std::string_view from_client);

// `text` as the value of a header: what is not printable ASCII becomes "?".
std::string HeaderText(std::string_view text);

}  // namespace ccr::proxy

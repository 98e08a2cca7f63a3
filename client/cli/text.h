// Small pieces of text for people.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace ccr::cli {

// "850 ms", "12s", "2m 05s", "1h 03m", "2d 04h"; rounded up, so that "0s" means now.
std::string FormatWait(absl::Duration wait);

// "now", "3s ago", "2m 05s ago"; rounded down.
std::string FormatAgo(absl::Duration age);

// Columns that `text` takes on a terminal, every code point of UTF-8 taken as one.
size_t DisplayWidth(std::string_view text);

// At most `width` columns, the last one "…" when something was cut. Control characters become '?': what a provider
// sends must not steer a terminal.
std::string Fit(std::string_view text, size_t width);

// The one of `candidates` that is at most two edits (insert, delete, replace, swap neighbours) away, or empty.
std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

// As execve takes them, with nullptr behind the last. Views of `texts`.
std::vector<char*> Pointers(const std::vector<std::string>& texts);

}  // namespace ccr::cli

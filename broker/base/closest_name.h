// What a misspelt name was meant to be.
#pragma once

#include <string_view>
#include <vector>

namespace ccr {

// The nearest of `names` within two edits, ignoring case; empty when there is none.
std::string_view ClosestName(std::string_view text, const std::vector<std::string_view>& names);

}  // namespace ccr

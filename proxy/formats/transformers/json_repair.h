// JSON as models get it wrong.
#pragma once

#include <string>
#include <string_view>

#include "proxy/formats/json_util.h"

namespace ccr::proxy {

// The arguments of a call as the text of a JSON object. A text that is one already comes back byte for byte, and an
// empty one becomes {}. What is repaired: an object within other text or within a JSON string; single and missing
// quotes, quotes and line breaks inside texts; missing, doubled and trailing commas; comments; Python's True, False and
// None; brackets that were never closed. A text without any "{" comes back as it is,
// and one for which the budget, which all calls of an answer share, has too little left.
std::string RepairArguments(std::string_view text, JsonBudget* budget);

}  // namespace ccr::proxy

// JSON5 (https://spec.json5.org): JSON as people write it by hand, with comments, trailing commas, unquoted names,
// single quotes.
#pragma once

#include <string_view>

#include "broker/config/node.h"

namespace ccr {

// Fills `root` from `text` (UTF-8, checked by the caller; a byte order mark is skipped). On a mistake: false, `error`
// says where, what was expected and what was found.
bool ParseJson5(std::string_view text, Node* root, SyntaxError* error);

}  // namespace ccr

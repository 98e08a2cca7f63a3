// YAML into the same tree as JSON5.
#pragma once

#include <string_view>

#include "broker/config/node.h"

namespace ccr {

// Fills `root` from `text`, which holds one document (UTF-8). Plain scalars are null, true, false or numbers as in
// YAML's core schema, else text. Aliases are copied, "<<" merges maps; the whole tree is bounded, so no alias can blow
// it up. On a mistake: false and `error`.
bool ParseYaml(std::string_view text, Node* root, SyntaxError* error);

}  // namespace ccr

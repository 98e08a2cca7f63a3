// $VAR and ${VAR} in texts.
#pragma once

#include "broker/config/config.h"
#include "broker/config/node.h"

namespace ccr {

// Replaces $NAME (NAME: [A-Z_][A-Z0-9_]*) and ${NAME} (small letters too) in every text of the tree, names of fields
// excepted. A variable that is not set stays as written; the node then names it in `unset_variable`. What comes in is
// not expanded again.
void ExpandVariables(Node* node, const EnvLookup& env);

}  // namespace ccr

// From the text of a configuration file to its tree.
#pragma once

#include <string>
#include <string_view>

#include "broker/config/map_reader.h"
#include "broker/config/node.h"

namespace ccr {

// YAML when `path` ends in .yaml or .yml, JSON5 otherwise; variables are expanded. False after an error was recorded:
// not UTF-8, bad syntax, empty, or not a map.
bool ParseTree(std::string_view text, const std::string& path, const EnvLookup& env, Node* root, ProblemList* problems);

}  // namespace ccr

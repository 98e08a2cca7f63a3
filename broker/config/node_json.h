// A part of a configuration as JSON text.
#pragma once

#include <string>
#include <string_view>

#include "broker/config/node.h"

namespace ccr {

// One line. Of members with one name the last one counts; numbers have the shortest text that reads back as the same.
std::string ToJson(const Node& node);

// `text` as a JSON string, quotes included. It must be UTF-8.
std::string JsonText(std::string_view text);

// What ToJson() gave, with "(hidden)" in place of each text whose member is named like a secret ("api_key", "token").
std::string HideSecretTexts(const std::string& json);

}  // namespace ccr

// What requests and answers of this format have in common when they are read.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/formats/conversation/request.h"
#include "proxy/formats/json_util.h"
#include "proxy/formats/translation.h"

namespace ccr::proxy::responses {

// A function's name and its namespace as one name, joined as Codex joins them where a provider knows no namespaces
// ("mcp__files__" and "read" are "mcp__files__read"). Those of the namespace "functions", which stands for none, keep
// their name.
std::string FlatName(std::string_view group, std::string_view name);

// The members but those of `read`, moved; null ones and empty lists and objects are left out.
json::object Others(json::object* from, std::initializer_list<std::string_view> read);

// A member that is true or false.
std::optional<bool> FindFlag(const json::object& from, std::string_view key);

// The content of a message or the output of a call: a text, a list of parts, or any other value as its JSON.
void ReadContent(json::value* content, Notes* notes, std::vector<Part>* parts);

// A reasoning item. False when there is nothing to keep of it.
bool ReadReasoning(json::object* item, Part* part);

// A function_call or custom_tool_call, with the id that its result names.
Part ReadCall(json::object* item);

// What only this format knows, whole.
Part OtherPart(json::object* item);

}  // namespace ccr::proxy::responses

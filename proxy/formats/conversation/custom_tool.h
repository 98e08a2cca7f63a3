// Custom tools, which take a text, as functions of formats that know no others.
#pragma once

#include <string>
#include <string_view>

#include "proxy/formats/conversation/request.h"

namespace ccr::proxy {

// JSON Schema of the arguments of such a function: {"input": text}.
inline constexpr std::string_view kCustomToolSchema =
    R"({"type":"object","properties":{"input":{"type":"string"}},"required":["input"]})";

// What a text must be like. Empty where a tool takes any.
struct Grammar {
  std::string_view syntax;  // "lark", "regex"
  std::string_view definition;
};

// Of Chat Completions' and Responses' custom tools. Points into `tool`.
Grammar GrammarOf(const Tool& tool);

// The description of such a function, with the grammar, which no schema can say.
std::string CustomToolDescription(const Tool& tool);

// The text in the arguments of such a function; what holds none stays as it is.
std::string CustomInput(std::string_view arguments);

}  // namespace ccr::proxy

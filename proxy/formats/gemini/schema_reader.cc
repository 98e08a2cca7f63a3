#include "proxy/formats/gemini/schema_reader.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/gemini/camel.h"

namespace ccr::proxy::gemini {
namespace {

constexpr std::array<std::string_view, 6> kCounts = {"minItems",  "maxItems",      "minLength",
                                                     "maxLength", "minProperties", "maxProperties"};
constexpr std::array<std::string_view, 4> kSchemaLists = {"anyOf", "oneOf", "allOf", "prefixItems"};
constexpr std::array<std::string_view, 3> kSchemaMaps = {"properties", "$defs", "definitions"};
constexpr std::array<std::string_view, 3> kSchemas = {"items", "additionalProperties", "not"};

void ReadCounts(json::object* schema) {
  for (const std::string_view name : kCounts) {
    const std::string_view digits = FindText(*schema, name);
    int64_t count = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    if (!digits.empty() && parsed.ptr == digits.data() + digits.size()) (*schema)[name] = count;
  }
}

void ReadType(json::object* schema) {
  json::value* type = Find(*schema, "type");
  if (type == nullptr || !type->is_string()) return;
  const std::string name = absl::AsciiStrToLower(ToAbsl(View(type->get_string())));
  if (name == "type_unspecified") {
    TakeMember(schema, "type");
  } else {
    *type = name;
  }
}

void ReadNullable(json::object* schema) {
  const json::value nullable = TakeMember(schema, "nullable");
  if (!nullable.is_bool() || !nullable.get_bool()) return;
  if (json::value* type = Find(*schema, "type"); type != nullptr && type->is_string()) {
    json::array types({std::move(*type), "null"}, schema->storage());
    *type = std::move(types);
  }
  if (json::array* values = FindArray(*schema, "enum"); values != nullptr) values->emplace_back(nullptr);
  if (json::array* any = FindArray(*schema, "anyOf"); any != nullptr) {
    any->emplace_back(json::object({{"type", "null"}}, schema->storage()));
  }
}

}  // namespace

void ToJsonSchema(json::value* value) {
  json::object* schema = value->if_object();
  if (schema == nullptr) return;
  CamelNames(schema);
  for (const std::string_view name : kSchemaLists) {
    json::array* list = FindArray(*schema, name);
    for (size_t i = 0; list != nullptr && i < list->size(); ++i) ToJsonSchema(&(*list)[i]);
  }
  for (const std::string_view name : kSchemaMaps) {
    json::object* map = FindObject(*schema, name);
    if (map == nullptr) continue;
    for (json::key_value_pair& member : *map) ToJsonSchema(&member.value());
  }
  for (const std::string_view name : kSchemas) {
    if (json::value* one = Find(*schema, name); one != nullptr) ToJsonSchema(one);
  }
  ReadCounts(schema);
  ReadType(schema);
  ReadNullable(schema);
  TakeMember(schema, "propertyOrdering");
  if (FindText(*schema, "format") == "enum") TakeMember(schema, "format");
  if (json::value example = TakeMember(schema, "example"); !example.is_null() && Find(*schema, "examples") == nullptr) {
    (*schema)["examples"] = json::array({std::move(example)}, schema->storage());
  }
}

}  // namespace ccr::proxy::gemini

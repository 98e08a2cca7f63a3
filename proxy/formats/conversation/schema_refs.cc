#include "proxy/formats/conversation/schema_refs.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/container/flat_hash_set.h"

namespace ccr::proxy::fit {
namespace {

constexpr int kMaxRefs = 32;  // within one another

// Members that hold a schema, a list of schemas or both.
constexpr std::array<std::string_view, 15> kSchemas = {"items",
                                                       "prefixItems",
                                                       "additionalItems",
                                                       "additionalProperties",
                                                       "unevaluatedProperties",
                                                       "anyOf",
                                                       "oneOf",
                                                       "allOf",
                                                       "contains",
                                                       "propertyNames",
                                                       "not",
                                                       "if",
                                                       "then",
                                                       "else",
                                                       "unevaluatedItems"};
// Members whose members are schemas.
constexpr std::array<std::string_view, 5> kNamedSchemas = {"properties", "patternProperties", "$defs", "definitions",
                                                           "dependentSchemas"};
constexpr std::array<std::string_view, 2> kDefinitions = {"$defs", "definitions"};

template <size_t N>
bool IsOneOf(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string_view KeyIn(const json::key_value_pair& member) {
  return {member.key().data(), member.key().size()};
}

// Of a schema that is const or not.
template <typename Object, typename Visit>
void Subschemas(Object* schema, Visit visit) {
  for (auto& member : *schema) {
    auto& value = member.value();
    if (IsOneOf(kNamedSchemas, KeyIn(member))) {
      if (!value.is_object()) continue;
      for (auto& named : value.get_object()) visit(&named.value());
    } else if (IsOneOf(kSchemas, KeyIn(member))) {
      if (!value.is_array()) {
        visit(&value);
        continue;
      }
      for (auto& element : value.get_array()) visit(&element);
    }
  }
}

class Inliner {
 public:
  Inliner(const json::object& root, SchemaSteps* steps) : root_(root), steps_(*steps) {}

  json::object Root() {
    json::object out = Schema(root_, 0);
    for (const std::string_view name : kDefinitions) out.stable_erase(name);
    return out;
  }

 private:
  json::value Schema(const json::value& schema, int refs) {
    if (!schema.is_object()) return Plain(schema);
    return Schema(schema.get_object(), refs);
  }

  json::object Schema(const json::object& schema, int refs) {
    json::object out(root_.storage());
    if (!steps_.Spend(1 + schema.size())) return out;
    const std::string_view reference = FindText(schema, "$ref");
    if (!reference.empty()) out = Target(reference, refs);
    for (const json::key_value_pair& member : schema) {
      const std::string_view key = KeyIn(member);
      if (key == "$ref" && !reference.empty()) continue;
      if (IsOneOf(kDefinitions, key)) continue;
      out[key] = Member(key, member.value(), refs);
    }
    return out;
  }

  json::object Target(std::string_view reference, int refs) {
    const json::value* target = ResolveRef(root_, reference);
    if (target == nullptr || !target->is_object() || refs >= kMaxRefs || !open_.insert(target).second)
      return json::object(root_.storage());
    json::object out = Schema(target->get_object(), refs + 1);
    open_.erase(target);
    return out;
  }

  json::value Member(std::string_view key, const json::value& value, int refs) {
    if (value.is_object() && IsOneOf(kNamedSchemas, key)) {
      json::object out(root_.storage());
      for (const json::key_value_pair& member : value.get_object()) out[member.key()] = Schema(member.value(), refs);
      return out;
    }
    if (!IsOneOf(kSchemas, key)) return Plain(value);
    if (!value.is_array()) return Schema(value, refs);
    json::array out(root_.storage());
    for (const json::value& element : value.get_array()) out.push_back(Schema(element, refs));
    return out;
  }

  json::value Plain(const json::value& value) {
    if (!steps_.SpendAll(value)) return json::value(nullptr, root_.storage());
    return json::value(value, root_.storage());
  }

  const json::object& root_;
  SchemaSteps& steps_;
  absl::flat_hash_set<const json::value*> open_;  // what references around the present schema name
};

}  // namespace

bool SchemaSteps::SpendAll(const json::value& value) {
  if (!Spend(1)) return false;
  if (const json::array* array = value.if_array(); array != nullptr)
    return std::all_of(array->begin(), array->end(), [this](const json::value& inner) { return SpendAll(inner); });
  const json::object* object = value.if_object();
  return object == nullptr || std::all_of(object->begin(), object->end(), [this](const json::key_value_pair& member) {
           return SpendAll(member.value());
         });
}

void ForEachSubschema(json::object* schema, absl::FunctionRef<void(json::value* schema)> visit) {
  Subschemas(schema, [visit](json::value* inner) { visit(inner); });
}

const json::value* ResolveRef(const json::object& root, std::string_view reference) {
  if (!reference.starts_with("#/")) return nullptr;
  json::error_code error;
  const json::value* at = nullptr;
  const json::object* object = &root;
  reference.remove_prefix(2);
  const std::string_view first = reference.substr(0, reference.find('/'));
  at = Find(*object, first);
  if (at == nullptr || first.size() == reference.size()) return at;
  const std::string_view rest = reference.substr(first.size());
  return at->find_pointer({rest.data(), rest.size()}, error);
}

bool HasRefs(const json::value& schema) {
  const json::object* object = schema.if_object();
  if (object == nullptr) return false;
  bool found = !FindText(*object, "$ref").empty();
  Subschemas(object, [&found](const json::value* inner) { found = found || HasRefs(*inner); });
  return found;
}

json::object WithoutRefs(const json::object& root, SchemaSteps* steps) {
  return Inliner(root, steps).Root();
}

}  // namespace ccr::proxy::fit

#include "proxy/formats/conversation/schemas.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "proxy/formats/conversation/schema_refs.h"

namespace ccr::proxy::fit {
namespace {

constexpr int kMaxMerges = 16;
constexpr size_t kMaxVariants = 16;  // of one property
// What OpenAI refuses at the top; Anthropic refuses the first three.
constexpr std::array<std::string_view, 5> kRefusedAtTop = {"allOf", "anyOf", "oneOf", "not", "enum"};
// What goes where one of them is there.
constexpr std::array<std::string_view, 9> kNotAtTop = {"allOf", "anyOf", "oneOf", "not", "enum",
                                                       "if",    "then",  "else",  "$ref"};

using Names = std::vector<std::string_view>;

// An object's schema without combinators.
struct Merged {
  // In the order they came, each with the schemas that it may have.
  std::vector<std::pair<std::string_view, std::vector<const json::value*>>> properties;
  absl::flat_hash_map<std::string_view, size_t> numbers;  // of the same
  Names required;
};

std::string_view KeyOf(const json::key_value_pair& member) {
  return {member.key().data(), member.key().size()};
}

// Merges what stands at the top of `root` into one object.
class Top {
 public:
  Top(const json::object& root, SchemaSteps* steps) : root_(root), steps_(*steps) {}

  json::object Merge() {
    Merged all;
    Collect(root_, 0, &all);
    json::object out(root_.storage());
    out["type"] = "object";
    for (const json::key_value_pair& member : root_) {
      const std::string_view key = KeyOf(member);
      const bool refused = std::find(kNotAtTop.begin(), kNotAtTop.end(), key) != kNotAtTop.end();
      if (!refused && key != "type" && key != "properties" && key != "required") out[key] = Copy(member.value());
    }
    json::object properties(root_.storage());
    for (const auto& [name, schemas] : all.properties) properties[name] = Property(schemas);
    json::array required(root_.storage());
    absl::flat_hash_set<std::string_view> seen;
    for (const std::string_view name : all.required)
      if (properties.contains(name) && seen.insert(name).second) required.emplace_back(name);
    out["properties"] = std::move(properties);
    if (!required.empty()) out["required"] = std::move(required);
    return out;
  }

 private:
  void Collect(const json::value& schema, int depth, Merged* into) {
    if (schema.is_object()) Collect(schema.get_object(), depth, into);
  }

  void Collect(const json::object& schema, int depth, Merged* into) {
    if (depth > kMaxMerges || !steps_.Spend(1)) return;
    AddProperties(schema, into);
    const std::string_view reference = FindText(schema, "$ref");
    if (!reference.empty()) {
      if (const json::value* target = ResolveRef(root_, reference); target != nullptr)
        Collect(*target, depth + 1, into);
    }
    if (const json::array* all = FindArray(schema, "allOf"); all != nullptr)
      for (const json::value& part : *all) Collect(part, depth + 1, into);
    for (const std::string_view kind : {"anyOf", "oneOf"})
      if (const json::array* any = FindArray(schema, kind); any != nullptr) CollectAny(*any, depth, into);
  }

  void AddProperties(const json::object& schema, Merged* into) {
    if (const json::object* properties = FindObject(schema, "properties"); properties != nullptr) {
      for (const json::key_value_pair& property : *properties) {
        if (!steps_.Spend(1)) return;
        AddProperty(KeyOf(property), &property.value(), into);
      }
    }
    const json::array* required = FindArray(schema, "required");
    if (required == nullptr || !steps_.Spend(required->size())) return;
    for (const json::value& name : *required)
      if (name.is_string()) into->required.push_back(View(name.get_string()));
  }

  static void AddProperty(std::string_view name, const json::value* schema, Merged* into) {
    const auto [number, added] = into->numbers.try_emplace(name, into->properties.size());
    if (added) into->properties.push_back({name, {}});
    std::vector<const json::value*>& variants = into->properties[number->second].second;
    const bool known = std::any_of(variants.begin(), variants.end(),
                                   [schema](const json::value* v) { return v == schema || *v == *schema; });
    if (!known && variants.size() < kMaxVariants) variants.push_back(schema);
  }

  // Each of them may hold, so only what all of them require is required.
  void CollectAny(const json::array& alternatives, int depth, Merged* into) {
    absl::flat_hash_map<std::string_view, size_t> votes;
    Names first;
    size_t voters = 0;
    for (const json::value& alternative : alternatives) {
      if (!alternative.is_object() || FindText(alternative.get_object(), "type") == "null") continue;
      Merged one;
      Collect(alternative, depth + 1, &one);
      ++voters;
      for (const auto& [name, variants] : one.properties)
        for (const json::value* variant : variants) AddProperty(name, variant, into);
      absl::flat_hash_set<std::string_view> named(one.required.begin(), one.required.end());
      for (const std::string_view name : named) ++votes[name];
      if (voters == 1) first = std::move(one.required);
    }
    for (const std::string_view name : first)
      if (votes[name] == voters) into->required.push_back(name);
  }

  json::value Property(const std::vector<const json::value*>& schemas) {
    if (schemas.size() == 1) return Copy(*schemas.front());
    json::array any(root_.storage());
    for (const json::value* schema : schemas) any.push_back(Copy(*schema));
    return json::object({{"anyOf", std::move(any)}}, root_.storage());
  }

  json::value Copy(const json::value& value) {
    if (!steps_.SpendAll(value)) return json::object(root_.storage());
    return json::value(value, root_.storage());
  }

  const json::object& root_;
  SchemaSteps& steps_;
};

bool NeedsMerge(const json::object& schema) {
  return std::any_of(kRefusedAtTop.begin(), kRefusedAtTop.end(),
                     [&schema](std::string_view name) { return Find(schema, name) != nullptr; }) ||
         Find(schema, "$ref") != nullptr;
}

bool IsArrayType(const json::value* type) {
  if (type == nullptr) return false;
  if (type->is_string()) return type->get_string() == "array";
  const json::array* types = type->if_array();
  return types != nullptr && std::any_of(types->begin(), types->end(), [](const json::value& one) {
           return one.is_string() && one.get_string() == "array";
         });
}

// Adds the items that are missing. Whether some were.
bool AddItems(json::value* schema) {
  if (!schema->is_object()) return false;
  json::object& object = schema->get_object();
  bool added = false;
  if (IsArrayType(Find(object, "type")) && Find(object, "items") == nullptr) {
    object["items"] = json::object(object.storage());
    added = true;
  }
  ForEachSubschema(&object, [&added](json::value* inner) { added |= AddItems(inner); });
  return added;
}

bool FitSchema(const ProviderRules& rules, json::value* schema, SchemaSteps* steps) {
  if (!schema->is_object()) return false;
  bool changed = false;
  if (!rules.schema_refs && HasRefs(*schema)) {
    *schema = WithoutRefs(schema->get_object(), steps);
    changed = true;
  }
  if (!rules.schema_combinators && NeedsMerge(schema->get_object())) {
    json::object merged = Top(schema->get_object(), steps).Merge();
    *schema = std::move(merged);
    changed = true;
  }
  if (!rules.schema_items) changed |= AddItems(schema);
  return changed;
}

}  // namespace

bool FitSchemas(const ProviderRules& rules, ModelRequest* request, Notes* notes) {
  if (rules.schema_refs && rules.schema_combinators && rules.schema_items) return false;
  SchemaSteps steps;
  bool changed = false;
  for (Tool& tool : request->tools)
    if (tool.kind == Tool::Kind::kFunction) changed |= FitSchema(rules, &tool.parameters, &steps);
  if (!rules.schema_refs && HasRefs(request->output.schema)) {
    request->output.schema = WithoutRefs(request->output.schema.get_object(), &steps);
    changed = true;
  }
  if (changed) AddNote(notes, "tools: schemas changed to what the provider takes");
  if (steps.exhausted()) AddNote(notes, "tools: schemas too large, cut");
  return changed;
}

}  // namespace ccr::proxy::fit

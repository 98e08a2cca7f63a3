#include "proxy/formats/gemini/schema.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"

namespace ccr::proxy::gemini {
namespace {

constexpr int kMaxMerges = 16;
constexpr int kMaxSchemaDepth = 32;
constexpr size_t kBytesPerStep = 64;
constexpr size_t kMaxNamedValues = 32;

// A schema with all that is merged into it, as views of the source.
struct Flat {
  std::vector<const json::object*> objects;  // of members with one name the first counts
  std::vector<std::pair<std::string_view, const json::value*>> properties;
  absl::flat_hash_set<absl::string_view> property_names;  // the same, once something was merged in
  std::vector<std::string_view> required;
  std::vector<const json::value*> targets;  // of the references
  bool circular = false;                    // a reference to what it stands in was left out

  const json::value* Find(std::string_view name) const {
    for (const json::object* object : objects) {
      if (const json::value* value = proxy::Find(*object, name); value != nullptr) return value;
    }
    return nullptr;
  }
  std::string_view Text(std::string_view name) const {
    const json::value* value = Find(name);
    return value != nullptr && value->is_string() ? View(value->get_string()) : std::string_view();
  }
  const json::array* List(std::string_view name) const {
    const json::value* value = Find(name);
    return value == nullptr ? nullptr : value->if_array();
  }
  const json::array* Alternatives() const { return List("anyOf") != nullptr ? List("anyOf") : List("oneOf"); }
  void AddProperties(const json::object& added, bool merged);
};

std::string_view Key(const json::key_value_pair& member) {
  return {member.key().data(), member.key().size()};
}

// Gemini's name of a type; nothing for "null" and unknown ones.
std::string_view TypeName(const json::value& type) {
  constexpr std::array<std::string_view, 6> kNames = {"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT"};
  if (!type.is_string() || type.get_string().size() > kNames[2].size()) return {};
  const std::string name = absl::AsciiStrToUpper(ToAbsl(View(type.get_string())));
  const auto it = std::find(kNames.begin(), kNames.end(), name);
  return it == kNames.end() ? std::string_view() : *it;
}

bool IsNullType(const json::value& type) {
  return type.is_string() && absl::EqualsIgnoreCase(ToAbsl(View(type.get_string())), "null");
}

void Flat::AddProperties(const json::object& added, bool merged) {
  if (merged && property_names.empty()) {
    for (const auto& [name, schema] : properties) property_names.insert(ToAbsl(name));
  }
  for (const json::key_value_pair& property : added) {
    if (!merged || property_names.insert(ToAbsl(Key(property))).second)
      properties.emplace_back(Key(property), &property.value());
  }
}

std::string_view TypeOfValue(const json::value& value) {
  if (value.is_bool()) return "BOOLEAN";
  if (value.is_int64() || value.is_uint64()) return "INTEGER";
  return value.is_double() ? "NUMBER" : "STRING";
}

class Reducer {
 public:
  Reducer(const json::value& root, json::storage_ptr storage, SchemaBudget* budget)
      : root_(root), storage_(std::move(storage)), budget_(*budget), open_({&root}) {}

  json::object Reduce(const json::value& schema, int depth);
  json::object Parameters();

 private:
  json::object ByType(const Flat& flat, int depth);
  void Collect(const json::value& schema, int merges, Flat* flat);
  void CollectTarget(std::string_view reference, int merges, Flat* flat);
  const json::value* Resolve(std::string_view reference) const;
  std::vector<const json::value*> OpenTargets(const Flat& flat);
  std::vector<std::string_view> Types(const json::array& given, bool* nullable);
  void Complete(const Flat& flat, bool nullable, json::object* member);
  json::object Union(const Flat& flat, const json::array& alternatives, bool nullable, int depth);
  json::object Typed(const Flat& flat, std::string_view type, bool nullable, int depth);
  void Object(const Flat& flat, int depth, json::object* out);
  void Array(const Flat& flat, int depth, json::object* out);
  void String(const Flat& flat, json::object* out);
  void Number(const Flat& flat, bool integer, json::object* out);
  void Texts(const Flat& flat, std::string_view type, json::object* out);
  bool SpendBytes(size_t bytes) { return budget_.Spend(bytes / kBytesPerStep); }
  json::object OfType(std::string_view type) const { return json::object({{"type", type}}, storage_); }

  const json::value& root_;
  const json::storage_ptr storage_;
  SchemaBudget& budget_;
  absl::flat_hash_set<const json::value*> open_;  // targets of references around the present schema
};

void Reducer::Collect(const json::value& schema, int merges, Flat* flat) {
  if (!schema.is_object() || merges > kMaxMerges || !budget_.Spend(1)) return;
  const json::object& object = schema.get_object();
  flat->objects.push_back(&object);
  const json::object* properties = FindObject(object, "properties");
  if (properties != nullptr && budget_.Spend(properties->size())) flat->AddProperties(*properties, merges > 0);
  const json::array* required = FindArray(object, "required");
  if (required != nullptr && budget_.Spend(required->size())) {
    for (const json::value& name : *required) {
      if (name.is_string()) flat->required.push_back(View(name.get_string()));
    }
  }
  CollectTarget(FindText(object, "$ref"), merges, flat);
  const json::array* all = FindArray(object, "allOf");
  for (size_t i = 0; all != nullptr && i < all->size() && !budget_.exhausted(); ++i) {
    Collect((*all)[i], merges + 1, flat);
  }
}

void Reducer::CollectTarget(std::string_view reference, int merges, Flat* flat) {
  const json::value* target = SpendBytes(reference.size()) ? Resolve(reference) : nullptr;
  if (target == nullptr) return;
  if (open_.contains(target)) {
    flat->circular = true;
    return;
  }
  flat->targets.push_back(target);
  Collect(*target, merges + 1, flat);
}

// "#/$defs/Name", a JSON pointer into the root.
const json::value* Reducer::Resolve(std::string_view reference) const {
  if (!reference.starts_with('#')) return nullptr;
  json::error_code error;
  const std::string_view pointer = reference.substr(1);
  return root_.find_pointer({pointer.data(), pointer.size()}, error);
}

json::object Reducer::Reduce(const json::value& schema, int depth) {
  if (!schema.is_object()) return OfType("STRING");
  if (depth > kMaxSchemaDepth || budget_.exhausted()) return OfType("OBJECT");
  Flat flat;
  Collect(schema, 0, &flat);
  const std::vector<const json::value*> opened = OpenTargets(flat);
  json::object reduced = ByType(flat, depth);
  for (const json::value* target : opened) open_.erase(target);
  return reduced;
}

// Those that were not open before.
std::vector<const json::value*> Reducer::OpenTargets(const Flat& flat) {
  std::vector<const json::value*> opened;
  for (const json::value* target : flat.targets) {
    if (open_.insert(target).second) opened.push_back(target);
  }
  return opened;
}

// Gemini's names, each once.
std::vector<std::string_view> Reducer::Types(const json::array& given, bool* nullable) {
  std::vector<std::string_view> types;
  for (size_t i = 0; i < given.size() && budget_.Spend(1); ++i) {
    *nullable |= IsNullType(given[i]);
    const std::string_view name = TypeName(given[i]);
    if (!name.empty() && std::find(types.begin(), types.end(), name) == types.end()) types.push_back(name);
  }
  return types;
}

json::object Reducer::ByType(const Flat& flat, int depth) {
  const json::value* type = flat.Find("type");
  const json::value* flag = flat.Find("nullable");
  bool nullable = flag != nullptr && flag->is_bool() && flag->get_bool();
  if (type != nullptr && type->is_array()) {
    const std::vector<std::string_view> types = Types(type->get_array(), &nullable);
    if (types.size() == 1) return Typed(flat, types.front(), nullable, depth);
    json::array members(storage_);
    for (const std::string_view one : types) members.emplace_back(Typed(flat, one, nullable, depth + 1));
    if (!members.empty()) return json::object({{"anyOf", std::move(members)}}, storage_);
  } else if (type != nullptr && !TypeName(*type).empty()) {
    return Typed(flat, TypeName(*type), nullable, depth);
  }
  const json::array* values = flat.List("enum");
  const json::value* only = flat.Find("const");
  if (!flat.properties.empty()) return Typed(flat, "OBJECT", nullable, depth);
  if (flat.Find("items") != nullptr || flat.Find("prefixItems") != nullptr) {
    return Typed(flat, "ARRAY", nullable, depth);
  }
  if (only != nullptr) return Typed(flat, TypeOfValue(*only), nullable, depth);
  if (values != nullptr && !values->empty()) return Typed(flat, TypeOfValue(values->front()), nullable, depth);
  if (const json::array* alternatives = flat.Alternatives(); alternatives != nullptr) {
    return Union(flat, *alternatives, nullable, depth);
  }
  const bool object = flat.circular || flat.Find("additionalProperties") != nullptr;
  return Typed(flat, object ? "OBJECT" : "STRING", nullable, depth);
}

json::object Reducer::Union(const Flat& flat, const json::array& alternatives, bool nullable, int depth) {
  json::array members(storage_);
  for (size_t i = 0; i < alternatives.size() && budget_.Spend(1); ++i) {
    const json::value& alternative = alternatives[i];
    const json::value* type = alternative.is_object() ? Find(alternative.get_object(), "type") : nullptr;
    if (type != nullptr && IsNullType(*type)) {
      nullable = true;
    } else {
      members.emplace_back(Reduce(alternative, depth + 1));
    }
  }
  if (members.empty()) return Typed(flat, "STRING", nullable, depth);
  for (json::value& value : members) {
    json::object& member = value.get_object();
    json::array* nested = FindArray(member, "anyOf");
    if (nested == nullptr) Complete(flat, nullable, &member);
    for (size_t i = 0; nested != nullptr && i < nested->size(); ++i) {
      Complete(flat, nullable, &(*nested)[i].get_object());
    }
  }
  if (members.size() == 1) return std::move(members.front().get_object());
  return json::object({{"anyOf", std::move(members)}}, storage_);
}

// Gives a member of a union what stands beside the union.
void Reducer::Complete(const Flat& flat, bool nullable, json::object* member) {
  if (nullable) (*member)["nullable"] = true;
  for (const std::string_view name : {"title", "description"}) {
    const std::string_view text = flat.Text(name);
    if (!text.empty() && !member->contains(name) && SpendBytes(text.size() + kBytesPerStep))
      member->emplace(name, text);
  }
}

json::object Reducer::Typed(const Flat& flat, std::string_view type, bool nullable, int depth) {
  json::object out = OfType(type);
  Texts(flat, type, &out);
  if (nullable) out["nullable"] = true;
  if (type == "OBJECT") Object(flat, depth, &out);
  if (type == "ARRAY") Array(flat, depth, &out);
  if (type == "STRING") String(flat, &out);
  if (type == "NUMBER" || type == "INTEGER") Number(flat, type == "INTEGER", &out);
  return out;
}

// Title and description; values that Gemini's enum cannot hold are named in the latter.
void Reducer::Texts(const Flat& flat, std::string_view type, json::object* out) {
  const std::string_view title = flat.Text("title");
  const std::string_view given = flat.Text("description");
  if (!SpendBytes(title.size() + given.size())) return;
  if (!title.empty()) (*out)["title"] = title;
  std::string description(given);
  const json::value* only = flat.Find("const");
  const json::array* values = flat.List("enum");
  if (type != "STRING" && (only != nullptr || (values != nullptr && !values->empty()))) {
    absl::StrAppend(&description, description.empty() ? "" : " ", "One of: ");
    const size_t begin = description.size();
    if (only != nullptr) {
      AppendJson(*only, &description);
    } else {
      const size_t count = std::min(values->size(), kMaxNamedValues);
      for (size_t i = 0; i < count; ++i) {
        if (i > 0) description += ", ";
        AppendJson((*values)[i], &description);
      }
    }
    SpendBytes(description.size() - begin);
    description += '.';
  }
  if (!description.empty()) (*out)["description"] = description;
}

void CopyCount(const Flat& flat, std::string_view name, json::object* out) {
  const json::value* value = flat.Find(name);
  if (value != nullptr && value->is_int64() && value->get_int64() >= 0) (*out)[name] = *value;
}

void CopyFormat(const Flat& flat, std::string_view one, std::string_view other, json::object* out) {
  const std::string_view format = flat.Text("format");
  if (format == one || format == other) (*out)["format"] = format;
}

void Reducer::Object(const Flat& flat, int depth, json::object* out) {
  if (flat.properties.empty() || depth >= kMaxSchemaDepth) return;
  if (!budget_.Spend(flat.properties.size() + flat.required.size())) return;
  json::object properties(storage_);
  for (const auto& [name, schema] : flat.properties) {
    if (!name.empty() && SpendBytes(name.size())) properties[name] = Reduce(*schema, depth + 1);
  }
  json::array required(storage_);
  absl::flat_hash_set<absl::string_view> seen;
  for (const std::string_view name : flat.required) {
    if (properties.contains(name) && seen.insert(ToAbsl(name)).second) required.emplace_back(name);
  }
  if (!properties.empty()) (*out)["properties"] = std::move(properties);
  if (!required.empty()) (*out)["required"] = std::move(required);
}

void Reducer::Array(const Flat& flat, int depth, json::object* out) {
  CopyCount(flat, "minItems", out);
  CopyCount(flat, "maxItems", out);
  const json::value* items = flat.Find("items");
  const json::array* list = flat.List("prefixItems") != nullptr ? flat.List("prefixItems") : flat.List("items");
  if (list != nullptr && !list->empty()) {
    (*out)["items"] = Union(Flat(), *list, false, depth + 1);
  } else {
    (*out)["items"] = items == nullptr ? OfType("STRING") : Reduce(*items, depth + 1);
  }
}

void Reducer::String(const Flat& flat, json::object* out) {
  CopyCount(flat, "minLength", out);
  CopyCount(flat, "maxLength", out);
  CopyFormat(flat, "date-time", "enum", out);
  json::array texts(storage_);
  const auto add = [&](const json::value& value) {
    if (!value.is_string() || value.get_string().empty()) return;
    if (SpendBytes(value.get_string().size() + kBytesPerStep)) texts.push_back(value);
  };
  if (const json::value* only = flat.Find("const"); only != nullptr) {
    add(*only);
  } else if (const json::array* values = flat.List("enum"); values != nullptr) {
    for (size_t i = 0; i < values->size() && budget_.Spend(1); ++i) add((*values)[i]);
  }
  if (!texts.empty()) (*out)["enum"] = std::move(texts);
}

void Reducer::Number(const Flat& flat, bool integer, json::object* out) {
  if (integer) {
    CopyFormat(flat, "int32", "int64", out);
  } else {
    CopyFormat(flat, "float", "double", out);
  }
  const auto bound = [&](std::string_view name, std::string_view exclusive, double step) {
    const json::value* value = flat.Find(name);
    if (value != nullptr && value->is_number()) {
      (*out)[name] = *value;
      return;
    }
    value = flat.Find(exclusive);
    if (value == nullptr || !value->is_number()) return;
    const auto number = value->to_number<double>();
    // The next integer: one further where the bound is one itself.
    const double next = step > 0 ? std::floor(number) + 1 : std::ceil(number) - 1;
    (*out)[name] = integer ? next : number;
  };
  bound("minimum", "exclusiveMinimum", 1);
  bound("maximum", "exclusiveMaximum", -1);
}

json::object Reducer::Parameters() {
  Flat flat;
  Collect(root_, 0, &flat);
  if (const json::array* alternatives = flat.Alternatives(); alternatives != nullptr && flat.properties.empty()) {
    for (size_t i = 0; i < alternatives->size() && !budget_.exhausted(); ++i) Collect((*alternatives)[i], 1, &flat);
    flat.required.clear();
  }
  OpenTargets(flat);
  return Typed(flat, "OBJECT", false, 0);
}

}  // namespace

json::object GeminiSchema(const json::value& schema, const json::storage_ptr& storage, SchemaBudget* budget) {
  return Reducer(schema, storage, budget).Reduce(schema, 0);
}

json::object GeminiParameters(const json::value& schema, const json::storage_ptr& storage, SchemaBudget* budget) {
  return Reducer(schema, storage, budget).Parameters();
}

}  // namespace ccr::proxy::gemini

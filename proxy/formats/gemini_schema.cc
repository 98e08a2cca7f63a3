#include "proxy/formats/gemini_schema.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"

namespace ccr::proxy {
namespace {

constexpr int kMaxMerges = 16;
constexpr int kMaxSchemaDepth = 32;
constexpr size_t kMaxNodes = 20'000;
constexpr size_t kMaxNamedValues = 32;

// A schema with all that is merged into it, as views of the source.
struct Flat {
  std::vector<std::pair<std::string_view, const json::value*>> members;  // the first of each name
  std::vector<std::pair<std::string_view, const json::value*>> properties;
  std::vector<std::string_view> required;
  std::vector<const json::value*> targets;  // of the references
  bool circular = false;                    // a reference to what it stands in was left out

  const json::value* Find(std::string_view name) const {
    const auto it = std::find_if(members.begin(), members.end(), [name](const auto& m) { return m.first == name; });
    return it == members.end() ? nullptr : it->second;
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
};

std::string_view Key(const json::key_value_pair& member) {
  return {member.key().data(), member.key().size()};
}

// Gemini's name of a type; nothing for "null" and unknown ones.
std::string_view TypeName(const json::value& type) {
  constexpr std::array<std::string_view, 6> kNames = {"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT"};
  if (!type.is_string()) return {};
  const std::string name = absl::AsciiStrToUpper(ToAbsl(View(type.get_string())));
  const auto it = std::find(kNames.begin(), kNames.end(), name);
  return it == kNames.end() ? std::string_view() : *it;
}

bool IsNullType(const json::value& type) {
  return type.is_string() && absl::AsciiStrToLower(ToAbsl(View(type.get_string()))) == "null";
}

std::string_view TypeOfValue(const json::value& value) {
  if (value.is_bool()) return "BOOLEAN";
  if (value.is_int64() || value.is_uint64()) return "INTEGER";
  return value.is_double() ? "NUMBER" : "STRING";
}

class Reducer {
 public:
  Reducer(const json::value& root, json::storage_ptr storage)
      : root_(root), storage_(std::move(storage)), open_({&root}) {}

  json::object Reduce(const json::value& schema, int depth);
  json::object Parameters();

 private:
  json::object ByType(const Flat& flat, int depth);
  void Collect(const json::value& schema, int merges, Flat* flat);
  const json::value* Resolve(std::string_view reference) const;
  json::object Union(const Flat& flat, const json::array& alternatives, bool nullable, int depth);
  json::object Typed(const Flat& flat, std::string_view type, bool nullable, int depth);
  void Object(const Flat& flat, int depth, json::object* out);
  void Array(const Flat& flat, int depth, json::object* out);
  void String(const Flat& flat, json::object* out);
  void Number(const Flat& flat, bool integer, json::object* out);
  void Texts(const Flat& flat, std::string_view type, json::object* out) const;
  json::object OfType(std::string_view type) const { return json::object({{"type", type}}, storage_); }

  const json::value& root_;
  const json::storage_ptr storage_;
  std::vector<const json::value*> open_;  // targets of references around the present schema
  size_t nodes_ = 0;
};

void AddFirst(std::string_view name, const json::value& value,
              std::vector<std::pair<std::string_view, const json::value*>>* to) {
  const bool known = std::any_of(to->begin(), to->end(), [name](const auto& one) { return one.first == name; });
  if (!known) to->emplace_back(name, &value);
}

void Reducer::Collect(const json::value& schema, int merges, Flat* flat) {
  if (!schema.is_object() || merges > kMaxMerges || ++nodes_ > kMaxNodes) return;
  const json::object& object = schema.get_object();
  for (const json::key_value_pair& member : object) {
    if (Key(member) == "properties" || Key(member) == "required" || member.value().is_null()) continue;
    AddFirst(Key(member), member.value(), &flat->members);
  }
  if (const json::object* properties = FindObject(object, "properties"); properties != nullptr) {
    for (const json::key_value_pair& property : *properties) {
      if (merges == 0) {
        flat->properties.emplace_back(Key(property), &property.value());
      } else {
        AddFirst(Key(property), property.value(), &flat->properties);
      }
    }
  }
  if (const json::array* required = FindArray(object, "required"); required != nullptr) {
    for (const json::value& name : *required) {
      if (name.is_string()) flat->required.push_back(View(name.get_string()));
    }
  }
  if (const json::value* target = Resolve(FindText(object, "$ref")); target != nullptr) {
    if (std::find(open_.begin(), open_.end(), target) != open_.end()) {
      flat->circular = true;
    } else {
      flat->targets.push_back(target);
      Collect(*target, merges + 1, flat);
    }
  }
  const json::array* all = FindArray(object, "allOf");
  for (size_t i = 0; all != nullptr && i < all->size(); ++i) Collect((*all)[i], merges + 1, flat);
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
  if (depth > kMaxSchemaDepth || nodes_ > kMaxNodes) return OfType("OBJECT");
  Flat flat;
  Collect(schema, 0, &flat);
  const size_t around = open_.size();
  open_.insert(open_.end(), flat.targets.begin(), flat.targets.end());
  json::object reduced = ByType(flat, depth);
  open_.resize(around);
  return reduced;
}

json::object Reducer::ByType(const Flat& flat, int depth) {
  const json::value* type = flat.Find("type");
  const json::value* flag = flat.Find("nullable");
  bool nullable = flag != nullptr && flag->is_bool() && flag->get_bool();
  if (type != nullptr && type->is_array()) {
    std::vector<std::string_view> types;
    for (const json::value& one : type->get_array()) {
      nullable |= IsNullType(one);
      if (!TypeName(one).empty()) types.push_back(TypeName(one));
    }
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
  for (const json::value& alternative : alternatives) {
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
    const auto complete = [&](json::object* one) {
      if (nullable) (*one)["nullable"] = true;
      for (const std::string_view text : {"title", "description"}) {
        if (!flat.Text(text).empty()) one->emplace(text, flat.Text(text));
      }
    };
    if (nested == nullptr) complete(&member);
    for (size_t i = 0; nested != nullptr && i < nested->size(); ++i) complete(&(*nested)[i].get_object());
  }
  if (members.size() == 1) return std::move(members.front().get_object());
  return json::object({{"anyOf", std::move(members)}}, storage_);
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
void Reducer::Texts(const Flat& flat, std::string_view type, json::object* out) const {
  if (!flat.Text("title").empty()) (*out)["title"] = flat.Text("title");
  std::string description(flat.Text("description"));
  const json::value* only = flat.Find("const");
  const json::array* values = flat.List("enum");
  if (type != "STRING" && (only != nullptr || (values != nullptr && !values->empty()))) {
    absl::StrAppend(&description, description.empty() ? "" : " ", "One of: ");
    if (only != nullptr) {
      AppendJson(*only, &description);
    } else {
      const size_t count = std::min(values->size(), kMaxNamedValues);
      for (size_t i = 0; i < count; ++i) {
        if (i > 0) description += ", ";
        AppendJson((*values)[i], &description);
      }
    }
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
  json::object properties(storage_);
  for (const auto& [name, schema] : flat.properties) {
    if (nodes_ <= kMaxNodes && !name.empty()) properties[name] = Reduce(*schema, depth + 1);
  }
  json::array required(storage_);
  for (const std::string_view name : flat.required) {
    const bool twice = std::any_of(required.begin(), required.end(),
                                   [name](const json::value& one) { return View(one.get_string()) == name; });
    if (properties.contains({name.data(), name.size()}) && !twice) required.emplace_back(name);
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
  const auto add = [&texts](const json::value& value) {
    if (value.is_string() && !value.get_string().empty()) texts.push_back(value);
  };
  if (const json::value* only = flat.Find("const"); only != nullptr) {
    add(*only);
  } else if (const json::array* values = flat.List("enum"); values != nullptr) {
    for (const json::value& value : *values) add(value);
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
    for (const json::value& alternative : *alternatives) Collect(alternative, 1, &flat);
    flat.required.clear();
  }
  open_.insert(open_.end(), flat.targets.begin(), flat.targets.end());
  return Typed(flat, "OBJECT", false, 0);
}

}  // namespace

json::object GeminiSchema(const json::value& schema, const json::storage_ptr& storage) {
  return Reducer(schema, storage).Reduce(schema, 0);
}

json::object GeminiParameters(const json::value& schema, const json::storage_ptr& storage) {
  return Reducer(schema, storage).Parameters();
}

}  // namespace ccr::proxy

// The reader of configuration files against Boost.JSON: no text harms it, and every JSON object is read as what it is.
#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "broker/config/node.h"
#include "broker/config/parse.h"

namespace ccr {
namespace {

namespace json = boost::json;

bool SameText(const std::string& a, const json::string& b) {
  return std::string_view(a) == std::string_view(b.data(), b.size());
}

// Boost.JSON 1.81 rounds decimal fractions in the last place.
bool SameNumber(double a, double b) {
  return std::abs(a - b) <= 1e-12 * std::max(std::abs(a), std::abs(b));
}

bool Same(const Node& node, const json::value& value);

bool SameList(const Node& node, const json::array& array) {
  if (node.kind != Node::Kind::kList || node.items.size() != array.size()) return false;
  for (size_t i = 0; i < array.size(); ++i) {
    if (!Same(node.items[i], array[i])) return false;
  }
  return true;
}

// Repeated names: the tree keeps them all, Boost.JSON the last.
bool SameMap(const Node& node, const json::object& object) {
  if (node.kind != Node::Kind::kMap || node.entries.size() < object.size()) return false;
  for (const auto& member : object) {
    const std::string_view name(member.key().data(), member.key().size());
    const auto entry =
        std::find_if(node.entries.rbegin(), node.entries.rend(), [&](const auto& e) { return e.name == name; });
    if (entry == node.entries.rend() || !Same(entry->value, member.value())) return false;
  }
  return true;
}

bool Same(const Node& node, const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return node.kind == Node::Kind::kNull;
    case json::kind::bool_:
      return node.kind == Node::Kind::kBool && node.boolean == value.get_bool();
    case json::kind::string:
      return node.kind == Node::Kind::kString && SameText(node.text, value.get_string());
    case json::kind::array:
      return SameList(node, value.get_array());
    case json::kind::object:
      return SameMap(node, value.get_object());
    default:
      return node.kind == Node::Kind::kNumber && SameNumber(node.number, value.to_number<double>());
  }
}

}  // namespace
}  // namespace ccr

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace json = boost::json;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ccr::Node root;
  ccr::ProblemList problems("fuzz.json");
  const auto no_variables = [](const std::string&) { return std::optional<std::string>(); };
  const bool read = ccr::ParseTree(text, "fuzz.json", no_variables, &root, &problems);

  json::error_code failed;
  json::parse_options options;
  options.max_depth = ccr::kMaxNesting;
  const json::value tree = json::parse({text.data(), text.size()}, failed, {}, options);
  if (!failed && tree.is_object() && !(read && ccr::Same(root, tree))) std::abort();
  return 0;
}

#include "broker/config/env.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/ascii.h"

namespace ccr {
namespace {

// Length of the variable's name at the start of `text`. In braces it may have small letters.
size_t NameLength(std::string_view text, bool braced) {
  const auto is_letter = [braced](char c) {
    return c == '_' || absl::ascii_isupper(c) || (braced && absl::ascii_isalpha(c));
  };
  size_t n = 0;
  while (n < text.size() && (is_letter(text[n]) || (n > 0 && absl::ascii_isdigit(text[n])))) ++n;
  return n;
}

std::string Expand(std::string_view text, const EnvLookup& env, std::string* unset) {
  std::string out;
  while (!text.empty()) {
    const size_t dollar = std::min(text.find('$'), text.size());
    out.append(text.substr(0, dollar));
    text.remove_prefix(dollar);
    if (text.empty()) break;
    const bool braced = text.starts_with("${");
    const std::string name(text.substr(braced ? 2 : 1, NameLength(text.substr(braced ? 2 : 1), braced)));
    const size_t end = 1 + name.size() + 2 * braced;
    const bool is_variable = !name.empty() && (!braced || (end <= text.size() && text[end - 1] == '}'));
    const std::optional<std::string> value = is_variable ? env(name) : std::nullopt;
    if (is_variable && !value && unset->empty()) *unset = name;
    const std::string_view written = text.substr(0, is_variable ? end : 1);
    out.append(value ? std::string_view(*value) : written);
    text.remove_prefix(written.size());
  }
  return out;
}

}  // namespace

void ExpandVariables(Node* node, const EnvLookup& env) {
  if (node->text.find('$') != std::string::npos) node->text = Expand(node->text, env, &node->unset_variable);
  for (Node& item : node->items) ExpandVariables(&item, env);
  for (Node::Entry& entry : node->entries) ExpandVariables(&entry.value, env);
}

EnvLookup ProcessEnv() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

}  // namespace ccr

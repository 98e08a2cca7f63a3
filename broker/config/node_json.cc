#include "broker/config/node_json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "broker/base/absl_text.h"
#include "broker/config/json5.h"

namespace ccr {
namespace {

constexpr double kMaxWhole = 9007199254740992;  // 2^53: beyond it not every whole number is a double

void AppendNumber(double number, std::string* out) {
  char text[32];
  if (!std::isfinite(number)) {
    out->append("null");
  } else if (number == std::floor(number) && std::abs(number) <= kMaxWhole) {
    out->append(text, std::to_chars(text, text + sizeof(text), static_cast<int64_t>(number)).ptr);
  } else {
    out->append(text, std::to_chars(text, text + sizeof(text), number).ptr);
  }
}

void Append(const Node& node, std::string* out);

void AppendMap(const Node& node, std::string* out) {
  std::unordered_map<std::string_view, const Node*> last;
  for (const Node::Entry& entry : node.entries) last[entry.name] = &entry.value;
  const char* separator = "{";
  for (const Node::Entry& entry : node.entries) {
    if (last[entry.name] != &entry.value) continue;
    out->append(separator).append(JsonText(entry.name)).append(": ");
    Append(entry.value, out);
    separator = ", ";
  }
  out->append(*separator == '{' ? "{}" : "}");
}

void AppendList(const Node& node, std::string* out) {
  out->push_back('[');
  for (size_t i = 0; i < node.items.size(); ++i) {
    if (i > 0) out->append(", ");
    Append(node.items[i], out);
  }
  out->push_back(']');
}

void Append(const Node& node, std::string* out) {
  switch (node.kind) {
    case Node::Kind::kNull:
      out->append("null");
      break;
    case Node::Kind::kBool:
      out->append(node.boolean ? "true" : "false");
      break;
    case Node::Kind::kNumber:
      AppendNumber(node.number, out);
      break;
    case Node::Kind::kString:
      out->append(JsonText(node.text));
      break;
    case Node::Kind::kList:
      AppendList(node, out);
      break;
    case Node::Kind::kMap:
      AppendMap(node, out);
      break;
  }
}

bool IsNamedLikeASecret(std::string_view name) {
  const std::string lower = absl::AsciiStrToLower(ToAbsl(name));
  const auto holds = [&lower](const char* word) { return absl::StrContains(lower, word); };
  return holds("key") || holds("token") || holds("secret") || holds("password") || holds("auth");
}

void HideSecrets(Node* node) {
  for (Node& item : node->items) HideSecrets(&item);
  for (Node::Entry& entry : node->entries) {
    if (entry.value.kind == Node::Kind::kString && IsNamedLikeASecret(entry.name)) entry.value.text = "(hidden)";
    HideSecrets(&entry.value);
  }
}

}  // namespace

std::string ToJson(const Node& node) {
  std::string out;
  Append(node, &out);
  return out;
}

std::string JsonText(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned char>(c));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
  return out;
}

std::string HideSecretTexts(const std::string& json) {
  Node node;
  SyntaxError error;
  if (!ParseJson5(json, &node, &error)) return "{}";
  HideSecrets(&node);
  return ToJson(node);
}

}  // namespace ccr

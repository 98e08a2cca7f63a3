#include "client/cli/config/route_edit.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "broker/base/absl_text.h"
#include "broker/config/json5.h"
#include "broker/config/yaml_reader.h"

namespace ccr::cli {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

absl::StatusOr<Node> ParseConfigText(std::string_view text, bool yaml) {
  Node root;
  SyntaxError error;
  const bool parsed = yaml ? ParseYaml(text, &root, &error) : ParseJson5(text, &root, &error);
  if (!parsed) return absl::InvalidArgumentError(absl::StrCat("line ", error.line, ": ", error.message));
  if (root.kind != Node::Kind::kMap) return absl::InvalidArgumentError("the file must hold a map {...}");
  return root;
}

bool IsNullOrEmpty(const Node& node) {
  return node.kind == Node::Kind::kNull || (node.kind == Node::Kind::kMap && node.entries.empty());
}

bool SameTree(const Node& a, const Node& b);

bool SameEntries(const Node& a, const Node& b) {
  if (a.entries.size() != b.entries.size()) return false;
  const auto ordered = [](const Node& map) {
    std::vector<const Node::Entry*> entries;
    for (const Node::Entry& entry : map.entries) entries.push_back(&entry);
    std::stable_sort(entries.begin(), entries.end(), [](const auto* x, const auto* y) { return x->name < y->name; });
    return entries;
  };
  const auto same = [](const Node::Entry* x, const Node::Entry* y) {
    return x->name == y->name && SameTree(x->value, y->value);
  };
  const std::vector<const Node::Entry*> left = ordered(a);
  const std::vector<const Node::Entry*> right = ordered(b);
  return std::equal(left.begin(), left.end(), right.begin(), same);
}

// Wherever the values stand, and in whatever order a map has its entries.
bool SameTree(const Node& a, const Node& b) {
  if (IsNullOrEmpty(a) && IsNullOrEmpty(b)) return true;
  const bool same_number = a.number == b.number || (a.number != a.number && b.number != b.number);
  return a.kind == b.kind && a.boolean == b.boolean && same_number && a.text == b.text &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), SameTree) && SameEntries(a, b);
}

Node* FindLastMutable(Node* map, std::string_view name) {
  return const_cast<Node*>(&FindLast(*map, name)->value);
}

bool HasRoute(const Node& root, std::string_view name) {
  const Node::Entry* router = FindLast(root, "Router");
  return router != nullptr && FindLast(router->value, name) != nullptr;
}

// The tree as it has to be after the change.
Node WantedTree(Node root, const RouteChange& change) {
  if (!HasRoute(root, change.name) && !change.route) return root;
  if (FindLast(root, "Router") == nullptr) root.entries.push_back({"Router", 0, 0, Node()});
  Node* router = FindLastMutable(&root, "Router");
  if (!change.route) {
    std::erase_if(router->entries, [&change](const Node::Entry& entry) { return entry.name == change.name; });
    return root;
  }
  router->kind = Node::Kind::kMap;
  if (FindLast(*router, change.name) == nullptr) {
    router->entries.push_back({std::string(change.name), 0, 0, Node()});
  }
  Node value;
  value.kind = Node::Kind::kString;
  value.text = *change.route;
  *FindLastMutable(router, change.name) = std::move(value);
  return root;
}

std::string ApplySplices(std::string_view text, std::vector<Splice> splices) {
  std::stable_sort(splices.begin(), splices.end(), [](const auto& a, const auto& b) { return a.begin < b.begin; });
  std::string out;
  size_t done = 0;
  for (const Splice& splice : splices) {
    absl::StrAppend(&out, ToAbsl(text.substr(done, splice.begin - done)), splice.text);
    done = splice.end;
  }
  return absl::StrCat(out, ToAbsl(text.substr(done)));
}

absl::Status ChangeByHand(const RouteChange& change) {
  const std::string where =
      absl::StrCat("Router.", ToAbsl(change.name), " cannot be ", change.route ? "written" : "removed",
                   " without touching the rest of this file");
  return absl::UnimplementedError(
      change.route ? absl::StrCat(where, "; write it by hand: ", ToAbsl(change.name), ": ", Quoted(*change.route, '"'))
                   : where + "; remove it by hand");
}

}  // namespace

absl::StatusOr<std::string> ChangeRoute(std::string_view whole, bool yaml, const RouteChange& change) {
  const std::string_view mark = whole.starts_with(kByteOrderMark) ? kByteOrderMark : std::string_view();
  std::string text(whole.substr(mark.size()));
  absl::StatusOr<Node> root = ParseConfigText(text, yaml);
  if (!root.ok()) return root.status();
  if (FindLast(*root, "Router") != nullptr) {
    const Node::Kind kind = FindLast(*root, "Router")->value.kind;
    if (kind != Node::Kind::kMap && kind != Node::Kind::kNull)
      return absl::InvalidArgumentError("Router must be a map");
  }
  const Node wanted = WantedTree(*root, change);
  for (bool again = change.route || HasRoute(*root, change.name); again;
       again = !change.route && HasRoute(*root, change.name)) {
    const auto splices = yaml ? SpliceYaml(text, *root, change) : SpliceJson5(text, *root, change);
    if (!splices) return ChangeByHand(change);
    std::string next = ApplySplices(text, *splices);
    root = ParseConfigText(next, yaml);
    if (!root.ok() || next == text) break;
    text = std::move(next);
  }
  if (!root.ok() || !SameTree(*root, wanted)) return ChangeByHand(change);
  return absl::StrCat(ToAbsl(mark), text);
}

const Node::Entry* FindLast(const Node& map, std::string_view name) {
  const auto found = std::find_if(map.entries.rbegin(), map.entries.rend(),
                                  [name](const Node::Entry& entry) { return entry.name == name; });
  return found == map.entries.rend() ? nullptr : &*found;
}

std::string Quoted(std::string_view value, char quote) {
  std::string out(1, quote);
  for (const char c : value) {
    const auto code = static_cast<unsigned char>(c);
    if (c == quote || c == '\\') {
      absl::StrAppend(&out, "\\", std::string(1, c));
    } else if (code < 0x20 || code == 0x7F) {
      absl::StrAppendFormat(&out, "\\u%04x", code);
    } else {
      out.push_back(c);
    }
  }
  return out + quote;
}

size_t LineStart(std::string_view text, size_t pos) {
  const size_t before = pos == 0 ? std::string_view::npos : text.find_last_of("\r\n", pos - 1);
  return before == std::string_view::npos ? 0 : before + 1;
}

size_t LineEnd(std::string_view text, size_t pos) {
  return std::min(text.find_first_of("\r\n", pos), text.size());
}

size_t NextLine(std::string_view text, size_t pos) {
  const size_t end = LineEnd(text, pos);
  return std::min(end + (text.substr(end, 2) == "\r\n" ? 2 : 1), text.size());
}

std::string_view LineBreak(std::string_view text) {
  return text.find("\r\n") != std::string_view::npos ? "\r\n" : "\n";
}

std::string_view Indent(std::string_view text, size_t pos) {
  const size_t start = LineStart(text, pos);
  const size_t end = std::min(text.find_first_not_of(" \t", start), pos);
  return text.substr(start, end - start);
}

bool IsFirstOnLine(std::string_view text, size_t pos) {
  return IsBlank(text.substr(LineStart(text, pos), pos - LineStart(text, pos)));
}

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t") == std::string_view::npos;
}

}  // namespace ccr::cli

#include "client/cli/migrate/tree.h"

#include <strings.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/base/file_content.h"
#include "broker/base/utf8.h"
#include "broker/config/json5.h"
#include "broker/config/yaml_reader.h"

namespace ccr::cli::migration {
namespace {

constexpr size_t kMaxSourceBytes = 16 << 20;
constexpr size_t kChunkBytes = 65536;

void WipeTexts(Node* node) {
  explicit_bzero(node->text.data(), node->text.capacity());
  for (Node& item : node->items) WipeTexts(&item);
  for (Node::Entry& entry : node->entries) WipeTexts(&entry.value);
}

absl::StatusOr<Secret> ReadAllOf(std::istream& in) {
  std::string text;
  text.reserve(kMaxSourceBytes + 2 * kChunkBytes);  // not moved while it grows
  while (in.good() && text.size() <= kMaxSourceBytes) {
    const size_t had = text.size();
    text.resize(had + kChunkBytes);
    in.read(text.data() + had, kChunkBytes);
    text.resize(had + static_cast<size_t>(in.gcount()));
  }
  const bool too_large = text.size() > kMaxSourceBytes;
  Secret content(std::move(text));
  if (too_large) return absl::InvalidArgumentError(absl::StrCat("is larger than ", kMaxSourceBytes, " bytes"));
  return content;
}

absl::StatusOr<Secret> ContentOf(const std::string& path, std::istream& in) {
  if (path == "-") return ReadAllOf(in);
  absl::StatusOr<FileContent> content = ReadFileContent(path, kMaxSourceBytes);
  if (!content.ok()) return content.status();
  return std::move(content->text);
}

bool IsUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const size_t length = Utf8Length(text.substr(i));
    if (length == 0) return false;
    i += length;
  }
  return true;
}

std::string TextProblem(std::string_view text) {
  if (text.starts_with("SQLite format 3")) {
    return "is a SQLite database: export the table as JSON, for example sqlite3 -json FILE 'SELECT * FROM channels'";
  }
  if (text.starts_with("PGDMP")) return "is a dump in PostgreSQL's own format: export the table as JSON";
  if (!IsUtf8(text) || text.find('\0') != std::string_view::npos) return "is not UTF-8 text";
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return "is empty";
  return "";
}

bool Parse(std::string_view text, Syntax syntax, Node* root, SyntaxError* error) {
  return syntax == Syntax::kYaml ? ParseYaml(text, root, error) : ParseJson5(text, root, error);
}

}  // namespace

absl::StatusOr<Source> ReadSource(const std::string& path, std::istream& in) {
  const std::string name = path == "-" ? "stdin" : path;
  absl::StatusOr<Secret> content = ContentOf(path, in);
  if (!content.ok()) return absl::Status(content.status().code(), absl::StrCat(name, " ", content.status().message()));
  std::string_view text = content->Reveal();
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (const std::string problem = TextProblem(text); !problem.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(name, " ", problem));
  }
  return Source{name, Secret(text)};
}

void WipeTree::operator()(Node* root) const {
  WipeTexts(root);
  delete root;
}

absl::StatusOr<Tree> ParseSource(const Source& source, Syntax syntax) {
  Tree root(new Node);
  SyntaxError error;
  if (Parse(source.text.Reveal(), syntax, root.get(), &error)) return root;
  return absl::InvalidArgumentError(
      absl::StrCat(source.name, ":", error.line, ": column ", error.column, ": ", error.message));
}

Tree ParseInner(std::string_view text) {
  Tree root(new Node);
  SyntaxError error;
  const bool is_tree = text.find_first_of("{[") != std::string_view::npos && ParseJson5(text, root.get(), &error);
  return is_tree ? std::move(root) : nullptr;
}

const Node* FieldOf(const Node& map, std::string_view name) {
  for (auto entry = map.entries.rbegin(); entry != map.entries.rend(); ++entry) {
    if (entry->name == name) return entry->value.kind == Node::Kind::kNull ? nullptr : &entry->value;
  }
  return nullptr;
}

std::string ScalarText(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kString:
      return std::string(absl::StripAsciiWhitespace(node.text));
    case Node::Kind::kNumber:
      return std::fabs(node.number) < 1e15 && node.number == std::floor(node.number)
                 ? absl::StrCat(static_cast<int64_t>(node.number))
                 : absl::StrCat(node.number);
    case Node::Kind::kBool:
      return node.boolean ? "true" : "false";
    default:
      return "";
  }
}

std::optional<double> NumberOf(const Node& node) {
  if (node.kind == Node::Kind::kNumber) return node.number;
  double number = 0;
  if (node.kind == Node::Kind::kString && absl::SimpleAtod(node.text, &number)) return number;
  return std::nullopt;
}

bool SaysSomething(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return false;
    case Node::Kind::kBool:
      return node.boolean;
    case Node::Kind::kNumber:
      return node.number != 0;
    case Node::Kind::kString: {
      const std::string text = ScalarText(node);
      return !text.empty() && text != "{}" && text != "[]" && text != "null";
    }
    case Node::Kind::kList:
      return !node.items.empty();
    case Node::Kind::kMap:
      return !node.entries.empty();
  }
  return false;
}

const Node* Fields::Find(std::string_view name) {
  used_.emplace(name);
  return FieldOf(map_, name);
}

std::string Fields::Text(std::string_view name) {
  const Node* node = Find(name);
  return node == nullptr ? "" : ScalarText(*node);
}

std::optional<double> Fields::Number(std::string_view name) {
  const Node* node = Find(name);
  return node == nullptr ? std::nullopt : NumberOf(*node);
}

void Fields::TellRest(std::span<const Reason> known, std::string_view otherwise, Notes* notes) const {
  for (const Node::Entry& entry : map_.entries) {
    if (used_.contains(entry.name) || !SaysSomething(entry.value)) continue;
    const auto reason =
        std::find_if(known.begin(), known.end(), [&entry](const Reason& each) { return each.field == entry.name; });
    const std::string_view why = reason != known.end() ? reason->why : otherwise;
    notes->NotTaken(where_, absl::StrCat(entry.name, ": ", ToAbsl(why)));
  }
}

}  // namespace ccr::cli::migration

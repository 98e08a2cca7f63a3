// Reading what another system exported: files, and the trees in them.
#pragma once

#include <initializer_list>
#include <istream>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "broker/base/secret.h"
#include "broker/config/node.h"
#include "client/cli/migrate/notes.h"

namespace ccr::cli::migration {

struct Source {
  std::string name;  // as it was given; "stdin" for "-"
  Secret text;       // UTF-8, not only blanks, without a byte order mark
};

// The file at `path`, or `in` for "-". The error names the file: not there, not readable, a folder, larger than 16 MiB,
// empty, not text.
absl::StatusOr<Source> ReadSource(const std::string& path, std::istream& in);

// A tree whose texts, keys among them, are wiped when it ends.
struct WipeTree {
  void operator()(Node* root) const;
};
using Tree = std::unique_ptr<Node, WipeTree>;

enum class Syntax { kJson, kYaml };

// InvalidArgument names source, line and column.
absl::StatusOr<Tree> ParseSource(const Source& source, Syntax syntax);
// Of a JSON text inside a JSON text, as databases export columns. Empty when it is none.
Tree ParseInner(std::string_view text);

// The field, unless it is missing or null.
const Node* FieldOf(const Node& map, std::string_view name);
// A text, a number (whole ones without a point) or a truth value as text; empty for everything else.
std::string ScalarText(const Node& node);
// A number, or a text that is one.
std::optional<double> NumberOf(const Node& node);
// Whether a person wrote something there: not an empty text, list or map, nor 0 or false.
bool SaysSomething(const Node& node);

struct Reason {
  std::string_view field;
  std::string_view why;
};

// The fields of one map of the source. Those that nobody asked for are told at the end.
class Fields {
 public:
  Fields(const Node& map, std::string where) : map_(map), where_(std::move(where)) {}

  const std::string& where() const { return where_; }
  const Node& map() const { return map_; }
  const Node* Find(std::string_view name);  // null when missing or null
  std::string Text(std::string_view name);
  std::optional<double> Number(std::string_view name);
  void Ignore(std::initializer_list<std::string_view> names) { used_.insert(names.begin(), names.end()); }

  // Tells every other field that says something as not taken, with its reason of `known`, else `otherwise`.
  void TellRest(std::span<const Reason> known, std::string_view otherwise, Notes* notes) const;
  void TellRest(std::initializer_list<Reason> known, std::string_view otherwise, Notes* notes) const {
    TellRest(std::span(known.begin(), known.size()), otherwise, notes);
  }

 private:
  const Node& map_;
  const std::string where_;
  std::set<std::string, std::less<>> used_;
};

}  // namespace ccr::cli::migration

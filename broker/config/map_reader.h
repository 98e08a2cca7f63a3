// Reads typed fields out of a tree and collects what is wrong with them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "broker/config/config.h"
#include "broker/config/node.h"

namespace ccr {

// Where something stands, as problems tell it.
struct Place {
  int line = 0;
  std::string provider;
  std::string field;

  Place Sub(std::string_view name, int at_line) const;  // "field.name"
  Place Item(size_t index, int at_line) const;          // "field[index]"
};

class ProblemList {
 public:
  explicit ProblemList(std::string file) : file_(std::move(file)) {}

  void Error(const Place& place, std::string message);
  void Warn(const Place& place, std::string message);
  bool HasErrors() const { return has_errors_; }
  size_t size() const { return problems_.size(); }
  // By line.
  std::vector<ConfigProblem> Take();

 private:
  void Add(ConfigProblem::Severity severity, const Place& place, std::string message);

  const std::string file_;
  bool has_errors_ = false;
  std::vector<ConfigProblem> problems_;
};

// The name of a field, with the other spelling that is accepted too. Both must outlive the reader they are given to.
struct FieldName {
  std::string_view name, other;
  FieldName(const char* n, const char* o = "") : name(n), other(o) {}  // NOLINT: a plain name is the usual case
};

// Both ends are allowed.
struct Range {
  double min = 0;
  double max = 0;
};

// Whether a name out of the file may be shown: what looks like a field, not like a key that went astray.
bool IsShowable(std::string_view name);

// "a, b, c"
std::string JoinNames(const std::vector<std::string_view>& names);

// One map. Each method reads one field: absent or null leaves `out` alone, a mistake is recorded and leaves it alone
// too. Done() warns about the fields that no method asked for, DoneExactly() refuses them: where the others mean more
// without one that is misspelt. The tree must outlive the reader. Not thread-safe.
class MapReader {
 public:
  // `node` is a map. Warns about fields given twice; the last one counts.
  MapReader(const Node& node, Place place, ProblemList* problems);

  bool Text(FieldName name, std::string* out);             // false after a mistake
  void Flag(FieldName name, bool* out);                    // true, false, or these as text
  void Decimal(FieldName name, Range range, double* out);  // numbers may be text: "1.5"
  void Millis(FieldName name, Range range, absl::Duration* out);
  void OneOf(FieldName name, const std::vector<std::string_view>& choices, std::string* out);
  bool TextList(FieldName name, std::vector<std::string>* out);
  template <typename T>
  void Whole(FieldName name, Range range, T* out) {
    if (const std::optional<double> value = Number(name, range, true)) *out = static_cast<T>(*value);
  }

  // The value when it is a map or a list; nothing when absent, null or (recorded) of another type.
  std::optional<MapReader> Map(FieldName name);
  const Node* List(FieldName name);
  // The value of whatever type; null when absent or null.
  const Node* Find(FieldName name);
  // Text without an unset variable in it, or nothing.
  const std::string* TextOf(const Node& node, const Place& place);

  // Accepts fields without reading them.
  void Ignore(const std::vector<std::string_view>& names);
  void Done() { CheckUnknown(/*allowed=*/true); }
  void DoneExactly() { CheckUnknown(/*allowed=*/false); }

  // Where the field stands; the map's own place when it is absent.
  Place At(FieldName name) const;
  const Place& Here() const { return place_; }
  ProblemList& Problems() const { return *problems_; }

 private:
  const Node::Entry* Lookup(FieldName name) const;
  void CheckUnknown(bool allowed);
  std::optional<double> Number(FieldName name, Range range, bool whole);

  const Node& node_;
  const Place place_;
  ProblemList* const problems_;
  std::vector<std::string_view> known_;
};

// "text", "a list", ...: what a value is, for messages.
std::string_view KindName(Node::Kind kind);

}  // namespace ccr

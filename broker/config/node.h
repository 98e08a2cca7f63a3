// A configuration file as a tree, whichever syntax it came in.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace ccr {

// One value and where it stands. Only the members of its kind mean something.
struct Node {
  enum class Kind { kNull, kBool, kNumber, kString, kList, kMap };
  struct Entry;

  Kind kind = Kind::kNull;
  int line = 0;      // 1-based
  size_t begin = 0;  // byte offset in the text
  size_t end = 0;    // one past it; JSON5 only
  bool boolean = false;
  double number = 0;
  std::string text;
  std::string unset_variable;  // the first $VAR of `text` that has no value (ExpandVariables)
  std::vector<Node> items;
  std::vector<Entry> entries;  // as written: in order, repeated names included
};

struct Node::Entry {
  std::string name;
  int line = 0;      // of the name
  size_t begin = 0;  // of the name, byte offset in the text
  Node value;
};

// Why a text is not a tree. Quotes at most one character of it.
struct SyntaxError {
  int line = 0;    // 1-based
  int column = 0;  // 1-based, in characters
  std::string message;
};

// Both parsers refuse what nests deeper: their recursion stays bounded.
inline constexpr int kMaxNesting = 200;

}  // namespace ccr

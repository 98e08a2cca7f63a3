// Changes one Router entry in the text of a configuration file. Every byte outside that entry stays as it is: comments,
// order, quotes, line ends.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/config/node.h"

namespace ccr::cli {

struct RouteChange {
  std::string_view name;             // "default", "longContext", ...
  std::optional<std::string> route;  // "provider,model"; nothing removes the entry
};

// Replaces text[begin, end).
struct Splice {
  size_t begin = 0;
  size_t end = 0;
  std::string text;
};

// The text after the change, proved by parsing it again: it holds the same tree but for this entry. InvalidArgument
// when `text` is no configuration; Unimplemented when its shape (aliases, values over several lines) leaves no safe
// place to change: both say what to do.
absl::StatusOr<std::string> ChangeRoute(std::string_view text, bool yaml, const RouteChange& change);

// The splices for each syntax, not proved yet; nothing when they find no place. Removal takes the last of several
// entries of the same name. `root` is the tree of `text`.
std::optional<std::vector<Splice>> SpliceJson5(std::string_view text, const Node& root, const RouteChange& change);
std::optional<std::vector<Splice>> SpliceYaml(std::string_view text, const Node& root, const RouteChange& change);

// Helpers of both.
const Node::Entry* FindLast(const Node& map, std::string_view name);
std::string Quoted(std::string_view value, char quote);      // escapes as JSON and YAML both read them
size_t LineStart(std::string_view text, size_t pos);         // of the line that holds `pos`
size_t LineEnd(std::string_view text, size_t pos);           // its line break, or the end of the text
size_t NextLine(std::string_view text, size_t pos);          // behind that line break
std::string_view LineBreak(std::string_view text);           // "\r\n" where the text has it
std::string_view Indent(std::string_view text, size_t pos);  // white space before `pos` on its line
bool IsFirstOnLine(std::string_view text, size_t pos);
bool IsBlank(std::string_view text);  // spaces and tabs only

}  // namespace ccr::cli

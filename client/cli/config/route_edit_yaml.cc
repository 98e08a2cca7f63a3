#include <algorithm>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "client/cli/config/route_edit.h"

namespace ccr::cli {
namespace {

// Behind a text in quotes or a plain one on one line; nothing for a block ("|", ">"), an anchor, a tag or an alias.
std::optional<size_t> YamlScalarEnd(std::string_view text, size_t pos, bool in_flow) {
  if (pos >= text.size() || std::string_view("|>&*!").find(text[pos]) != std::string_view::npos) return std::nullopt;
  if (text[pos] == '"' || text[pos] == '\'') {
    const char quote = text[pos];
    for (size_t i = pos + 1; i < text.size(); ++i) {
      const bool escaped = quote == '"' ? text[i] == '\\' : text.substr(i, 2) == "''";
      if (escaped) {
        ++i;
      } else if (text[i] == quote) {
        return i + 1;
      }
    }
    return std::nullopt;
  }
  size_t end = LineEnd(text, pos);
  end = std::min({end, text.find(" #", pos), text.find(": ", pos), in_flow ? text.find_first_of(",]}", pos) : end});
  if (text[end - 1] == ':' && end == LineEnd(text, pos)) --end;  // a name whose value is on the next lines
  while (end > pos && (text[end - 1] == ' ' || text[end - 1] == '\t')) --end;
  return end;
}

std::string YamlEntry(const RouteChange& change) {
  return absl::StrCat(ToAbsl(change.name), ": ", Quoted(*change.route, '"'));
}

// `line` as a line of its own behind the line that holds `pos`.
std::vector<Splice> LineAfter(std::string_view text, size_t pos, const std::string& line) {
  const size_t end = LineEnd(text, pos);
  return {{end, end, absl::StrCat(ToAbsl(LineBreak(text)), line)}};
}

using Splices = std::optional<std::vector<Splice>>;

Splices ReplaceYaml(std::string_view text, const Node::Entry& entry, bool in_flow, const std::string& route) {
  if (entry.value.kind == Node::Kind::kNull) return std::nullopt;
  const std::optional<size_t> end = YamlScalarEnd(text, entry.value.begin, in_flow);
  if (!end) return std::nullopt;
  return {{{entry.value.begin, *end, Quoted(route, '"')}}};
}

Splices AppendYaml(std::string_view text, const Node& map, bool in_flow, const RouteChange& change) {
  if (in_flow) return {{{map.begin + 1, map.begin + 1, YamlEntry(change) + (map.entries.empty() ? "" : ", ")}}};
  const Node::Entry& last = map.entries.back();
  const std::string line = absl::StrCat(ToAbsl(Indent(text, last.begin)), YamlEntry(change));
  const std::optional<size_t> end =
      last.value.kind == Node::Kind::kNull ? std::nullopt : YamlScalarEnd(text, last.value.begin, false);
  if (end) return LineAfter(text, *end, line);
  const size_t start = LineStart(text, last.begin);
  return {{{start, start, absl::StrCat(line, ToAbsl(LineBreak(text)))}}};
}

Splices RemoveYaml(std::string_view text, const Node::Entry& entry, bool in_flow) {
  const bool is_null = entry.value.kind == Node::Kind::kNull;
  const std::optional<size_t> end = YamlScalarEnd(text, is_null ? entry.begin : entry.value.begin, in_flow);
  if (!end) return std::nullopt;
  if (!in_flow) return {{{LineStart(text, entry.begin), NextLine(text, *end), ""}}};
  const size_t next = text.find_first_not_of(" \t\r\n", *end);
  if (next < text.size() && text[next] == ',') {
    return {{{entry.begin, std::min(text.find_first_not_of(" \t", next + 1), text.size()), ""}}};
  }
  const size_t before = text.find_last_not_of(" \t\r\n", entry.begin - 1);
  return {{{text[before] == ',' ? before : entry.begin, *end, ""}}};
}

Splices AddRouter(std::string_view text, const Node& root, const RouteChange& change) {
  if (text[root.begin] == '{') return std::nullopt;
  const std::string line_break(LineBreak(text));
  const bool open_line = !text.empty() && text.back() != '\n';
  return {{{text.size(), text.size(),
            absl::StrCat(open_line ? line_break : "", "Router:", line_break, "  ", YamlEntry(change), line_break)}}};
}

}  // namespace

Splices SpliceYaml(std::string_view text, const Node& root, const RouteChange& change) {
  const Node::Entry* router = FindLast(root, "Router");
  if (router == nullptr) return AddRouter(text, root, change);
  const Node& map = router->value;
  const Node::Entry* entry = FindLast(map, change.name);
  if (map.kind == Node::Kind::kNull) return LineAfter(text, router->begin, "  " + YamlEntry(change));
  const bool in_flow = map.begin < text.size() && text[map.begin] == '{';
  if (!change.route) return RemoveYaml(text, *entry, in_flow);
  return entry == nullptr ? AppendYaml(text, map, in_flow, change) : ReplaceYaml(text, *entry, in_flow, *change.route);
}

}  // namespace ccr::cli

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "client/cli/config/route_edit.h"

namespace ccr::cli {
namespace {

constexpr std::string_view kSpace = " \t\r\n\v\f";

// Behind white space and comments.
size_t SkipJson5Space(std::string_view text, size_t pos) {
  while (pos < text.size()) {
    if (kSpace.find(text[pos]) != std::string_view::npos) {
      ++pos;
    } else if (text.substr(pos, 2) == "//") {
      pos = LineEnd(text, pos);
    } else if (text.substr(pos, 2) == "/*") {
      pos = std::min(text.find("*/", pos + 2), text.size() - 2) + 2;
    } else {
      break;
    }
  }
  return pos;
}

// Where the line ends, when nothing but space and comments comes before that.
std::optional<size_t> RestIsComment(std::string_view text, size_t pos) {
  const size_t end = LineEnd(text, pos);
  while (pos < end) {
    if (text[pos] == ' ' || text[pos] == '\t') {
      ++pos;
    } else if (text.substr(pos, 2) == "//") {
      return end;
    } else if (text.substr(pos, 2) == "/*" && text.find("*/", pos + 2) < end) {
      pos = text.find("*/", pos + 2) + 2;
    } else {
      return std::nullopt;
    }
  }
  return end;
}

std::optional<size_t> CommaAfter(std::string_view text, size_t pos) {
  const size_t next = SkipJson5Space(text, pos);
  return next < text.size() && text[next] == ',' ? std::optional(next) : std::nullopt;
}

// How the file writes a name, from its first one.
std::string NameJson5(std::string_view text, const Node& root, std::string_view name) {
  const char first = root.entries.empty() ? '"' : text[root.entries.front().begin];
  return first == '"' || first == '\'' ? Quoted(name, first) : std::string(name);
}

// `indent`, then one level more.
std::string Deeper(std::string_view text, const Node& root, std::string_view indent) {
  const bool has_unit = !root.entries.empty() && IsFirstOnLine(text, root.entries.front().begin) &&
                        !Indent(text, root.entries.front().begin).empty();
  const std::string_view unit = has_unit ? Indent(text, root.entries.front().begin) : "  ";
  return absl::StrCat(ToAbsl(indent), ToAbsl(unit));
}

std::vector<Splice> AppendToEmptyJson5(std::string_view text, const Node& root, const Node& map,
                                       const std::string& entry) {
  const std::string_view inside = text.substr(map.begin + 1, map.end - map.begin - 2);
  if (IsBlank(inside)) return {{map.begin + 1, map.end - 1, absl::StrCat(" ", entry, " ")}};
  const std::string indent = Deeper(text, root, Indent(text, map.begin));
  return {{map.begin + 1, map.begin + 1, absl::StrCat(ToAbsl(LineBreak(text)), indent, entry)}};
}

std::vector<Splice> AppendJson5(std::string_view text, const Node& root, const Node& map, const std::string& entry) {
  if (map.entries.empty()) return AppendToEmptyJson5(text, root, map, entry);
  const Node::Entry& last = map.entries.back();
  const std::optional<size_t> comma = CommaAfter(text, last.value.end);
  const size_t after = comma ? *comma + 1 : last.value.end;
  const std::optional<size_t> line_end = RestIsComment(text, after);
  const std::string trailing = comma ? "," : "";
  if (!IsFirstOnLine(text, last.begin) || !line_end) {
    return {{after, after, absl::StrCat(comma ? " " : ", ", entry, trailing)}};
  }
  std::vector<Splice> splices;
  if (!comma) splices.push_back({after, after, ","});
  splices.push_back(
      {*line_end, *line_end, absl::StrCat(ToAbsl(LineBreak(text)), ToAbsl(Indent(text, last.begin)), entry, trailing)});
  return splices;
}

std::string RouterText(std::string_view text, const Node& root, const std::string& entry) {
  const bool lines = !root.entries.empty() && IsFirstOnLine(text, root.entries.back().begin);
  if (!lines) return absl::StrCat("{ ", entry, " }");
  const std::string indent(Indent(text, root.entries.back().begin));
  const std::string line_break(LineBreak(text));
  return absl::StrCat("{", line_break, Deeper(text, root, indent), entry, line_break, indent, "}");
}

std::vector<Splice> RemoveJson5(std::string_view text, const Node& map, const Node::Entry& entry) {
  const std::optional<size_t> comma = CommaAfter(text, entry.value.end);
  std::vector<Splice> splices;
  const bool is_first = &entry == &map.entries.front();
  if (!comma && !is_first) {
    if (const std::optional<size_t> before = CommaAfter(text, (&entry - 1)->value.end)) {
      splices.push_back({*before, *before + 1, ""});
    }
  }
  Splice gone{entry.begin, comma ? *comma + 1 : entry.value.end, ""};
  const size_t line_end = LineEnd(text, gone.end);
  if (IsFirstOnLine(text, gone.begin) && IsBlank(text.substr(gone.end, line_end - gone.end))) {
    gone = {LineStart(text, gone.begin), NextLine(text, gone.end), ""};
  } else if (comma) {
    gone.end = std::min(text.find_first_not_of(" \t", gone.end), text.size());
  }
  splices.push_back(gone);
  return splices;
}

std::vector<Splice> SetJson5(std::string_view text, const Node& root, const Node::Entry* router,
                             const RouteChange& change) {
  const Node::Entry* entry = router == nullptr ? nullptr : FindLast(router->value, change.name);
  if (entry != nullptr) {
    const char quote = text[entry->value.begin] == '\'' ? '\'' : '"';
    return {{entry->value.begin, entry->value.end, Quoted(*change.route, quote)}};
  }
  const std::string added = absl::StrCat(NameJson5(text, root, change.name), ": ", Quoted(*change.route, '"'));
  if (router == nullptr) {
    return AppendJson5(text, root, root,
                       absl::StrCat(NameJson5(text, root, "Router"), ": ", RouterText(text, root, added)));
  }
  if (router->value.kind == Node::Kind::kMap) return AppendJson5(text, root, router->value, added);
  return {{router->value.begin, router->value.end, RouterText(text, root, added)}};
}

}  // namespace

std::optional<std::vector<Splice>> SpliceJson5(std::string_view text, const Node& root, const RouteChange& change) {
  const Node::Entry* router = FindLast(root, "Router");
  if (change.route) return SetJson5(text, root, router, change);
  return RemoveJson5(text, router->value, *FindLast(router->value, change.name));
}

}  // namespace ccr::cli

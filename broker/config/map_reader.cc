#include "broker/config/map_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/base/closest_name.h"

namespace ccr {
namespace {

bool ParseNumericText(std::string_view text, double* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size();
}

std::string RangeText(Range range, bool whole) {
  std::string text = absl::StrCat("must be a ", whole ? "whole number" : "number");
  if (std::isinf(range.max)) return absl::StrCat(text, ", ", range.min, " or more");
  return absl::StrCat(text, " from ", absl::SixDigits(range.min), " to ", static_cast<int64_t>(range.max));
}

}  // namespace

bool IsShowable(std::string_view name) {
  return name.size() <= 32 && std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalpha(static_cast<unsigned char>(c)) || c == '_' || c == '-';
         });
}

Place Place::Sub(std::string_view name, int at_line) const {
  return {at_line, provider, field.empty() ? std::string(name) : absl::StrCat(field, ".", ToAbsl(name))};
}

Place Place::Item(size_t index, int at_line) const {
  return {at_line, provider, absl::StrCat(field, "[", index, "]")};
}

void ProblemList::Error(const Place& place, std::string message) {
  has_errors_ = true;
  Add(ConfigProblem::Severity::kError, place, std::move(message));
}

void ProblemList::Warn(const Place& place, std::string message) {
  Add(ConfigProblem::Severity::kWarning, place, std::move(message));
}

void ProblemList::Add(ConfigProblem::Severity severity, const Place& place, std::string message) {
  problems_.push_back({severity, file_, place.line, place.provider, place.field, std::move(message)});
}

std::vector<ConfigProblem> ProblemList::Take() {
  std::stable_sort(problems_.begin(), problems_.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
  return std::move(problems_);
}

std::string JoinNames(const std::vector<std::string_view>& names) {
  std::string text;
  for (const std::string_view name : names) absl::StrAppend(&text, text.empty() ? "" : ", ", ToAbsl(name));
  return text;
}

std::string_view KindName(Node::Kind kind) {
  static constexpr std::string_view kNames[] = {"null", "true or false", "a number", "text", "a list", "a map"};
  return kNames[static_cast<size_t>(kind)];
}

MapReader::MapReader(const Node& node, Place place, ProblemList* problems)
    : node_(node), place_(std::move(place)), problems_(problems) {
  if (node.entries.size() < 2) return;
  std::unordered_map<std::string_view, int> lines;
  for (const Node::Entry& entry : node.entries) {
    const auto [first, is_new] = lines.try_emplace(entry.name, entry.line);
    if (is_new) continue;
    const Place where =
        IsShowable(entry.name) ? place_.Sub(entry.name, entry.line) : Place{entry.line, place_.provider, place_.field};
    problems_->Warn(where, absl::StrCat("this field was given on line ", first->second,
                                        " already: only the last one counts, remove the others"));
  }
}

const Node::Entry* MapReader::Lookup(FieldName name) const {
  const auto matches = [&name](const Node::Entry& entry) {
    return entry.name == name.name || (!name.other.empty() && entry.name == name.other);
  };
  const auto found = std::find_if(node_.entries.rbegin(), node_.entries.rend(), matches);
  return found == node_.entries.rend() ? nullptr : &*found;
}

Place MapReader::At(FieldName name) const {
  const Node::Entry* entry = Lookup(name);
  return entry ? place_.Sub(entry->name, entry->line) : place_.Sub(name.name, place_.line);
}

const Node* MapReader::Find(FieldName name) {
  known_.push_back(name.name);
  if (!name.other.empty()) known_.push_back(name.other);
  const Node::Entry* entry = Lookup(name);
  if (entry == nullptr) return nullptr;
  const std::string_view rival = entry->name == name.name ? name.other : name.name;
  const auto is_rival = [rival](const Node::Entry& other) { return other.name == rival; };
  if (!rival.empty() && std::any_of(node_.entries.begin(), node_.entries.end(), is_rival)) {
    problems_->Error(
        place_.Sub(entry->name, entry->line),
        absl::StrCat("both ", ToAbsl(name.name), " and ", ToAbsl(name.other), " are given: keep one of them"));
  }
  return entry->value.kind == Node::Kind::kNull ? nullptr : &entry->value;
}

const std::string* MapReader::TextOf(const Node& node, const Place& place) {
  if (node.kind != Node::Kind::kString) {
    problems_->Error(place, absl::StrCat("must be text, not ", ToAbsl(KindName(node.kind)),
                                         node.kind == Node::Kind::kNumber ? ": put it in quotes" : ""));
    return nullptr;
  }
  if (!node.unset_variable.empty()) {
    problems_->Warn(place,
                    absl::StrCat("environment variable ", node.unset_variable, " is not set: the text stays as it is"));
  }
  return &node.text;
}

bool MapReader::Text(FieldName name, std::string* out) {
  const Node* node = Find(name);
  if (node == nullptr) return true;
  const std::string* text = TextOf(*node, At(name));
  if (text) *out = *text;
  return text != nullptr;
}

void MapReader::Flag(FieldName name, bool* out) {
  const Node* node = Find(name);
  if (node == nullptr) return;
  if (node->kind == Node::Kind::kBool) {
    *out = node->boolean;
  } else if (node->kind == Node::Kind::kString && (node->text == "true" || node->text == "false")) {
    *out = node->text == "true";
  } else {
    problems_->Error(At(name), "must be true or false");
  }
}

std::optional<double> MapReader::Number(FieldName name, Range range, bool whole) {
  const Node* node = Find(name);
  if (node == nullptr) return std::nullopt;
  double value = node->number;
  const bool is_number =
      node->kind == Node::Kind::kNumber || (node->kind == Node::Kind::kString && ParseNumericText(node->text, &value));
  if (is_number && value >= range.min && value <= range.max && (!whole || value == std::floor(value))) return value;
  problems_->Error(At(name), node->unset_variable.empty()
                                 ? RangeText(range, whole)
                                 : absl::StrCat(RangeText(range, whole), "; environment variable ",
                                                node->unset_variable, " is not set"));
  return std::nullopt;
}

void MapReader::Decimal(FieldName name, Range range, double* out) {
  if (const std::optional<double> value = Number(name, range, false)) *out = *value;
}

void MapReader::Millis(FieldName name, Range range, absl::Duration* out) {
  if (const std::optional<double> value = Number(name, range, true))
    *out = absl::Milliseconds(static_cast<int64_t>(*value));
}

void MapReader::OneOf(FieldName name, const std::vector<std::string_view>& choices, std::string* out) {
  std::string text = *out;
  Text(name, &text);
  if (std::find(choices.begin(), choices.end(), text) != choices.end()) {
    *out = std::move(text);
    return;
  }
  const std::string_view closest = ClosestName(text, choices);
  const std::string hint = closest.empty() ? "" : absl::StrCat("; did you mean ", ToAbsl(closest), "?");
  problems_->Error(At(name), absl::StrCat("unknown value: use one of ", JoinNames(choices), hint));
}

bool MapReader::TextList(FieldName name, std::vector<std::string>* out) {
  const size_t before = problems_->size();
  const Node* list = List(name);
  const Place place = At(name);
  for (size_t i = 0; list && i < list->items.size(); ++i) {
    const std::string* text = TextOf(list->items[i], place.Item(i, list->items[i].line));
    if (text) out->push_back(*text);
  }
  return problems_->size() == before;
}

std::optional<MapReader> MapReader::Map(FieldName name) {
  const Node* node = Find(name);
  if (node == nullptr) return std::nullopt;
  if (node->kind == Node::Kind::kMap) return MapReader(*node, At(name), problems_);
  problems_->Error(At(name), absl::StrCat("must be a map {...}, not ", ToAbsl(KindName(node->kind))));
  return std::nullopt;
}

const Node* MapReader::List(FieldName name) {
  const Node* node = Find(name);
  if (node == nullptr || node->kind == Node::Kind::kList) return node;
  problems_->Error(At(name), absl::StrCat("must be a list [...], not ", ToAbsl(KindName(node->kind))));
  return nullptr;
}

void MapReader::Ignore(const std::vector<std::string_view>& names) {
  known_.insert(known_.end(), names.begin(), names.end());
}

void MapReader::CheckUnknown(bool allowed) {
  for (const Node::Entry& entry : node_.entries) {
    if (std::find(known_.begin(), known_.end(), entry.name) != known_.end()) continue;
    const std::string_view closest = ClosestName(entry.name, known_);
    const std::string hint = closest.empty() ? "" : absl::StrCat(": did you mean ", ToAbsl(closest), "?");
    const Place where =
        IsShowable(entry.name) ? place_.Sub(entry.name, entry.line) : Place{entry.line, place_.provider, place_.field};
    const std::string what = IsShowable(entry.name) ? "unknown field" : "holds an unknown field";
    if (allowed) {
      problems_->Warn(where, absl::StrCat(what, ", ignored", hint));
    } else {
      problems_->Error(where, absl::StrCat(what, hint));
    }
  }
}

}  // namespace ccr

#include "client/cli/migrate/notes.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "broker/base/absl_text.h"

namespace ccr::cli::migration {
namespace {

constexpr size_t kShortestSecret = 8;
constexpr size_t kPlacesShown = 3;

bool IsNamedLikeSecret(const std::string& name) {
  static constexpr std::string_view kParts[] = {"key", "token", "secret", "password", "auth", "credential"};
  const std::string lower = absl::AsciiStrToLower(name);
  return !lower.ends_with("_name") &&
         std::any_of(std::begin(kParts), std::end(kParts),
                     [&lower](std::string_view part) { return lower.find(part) != std::string::npos; });
}

std::string Places(const std::vector<std::string>& places) {
  if (places.size() <= kPlacesShown + 1) return absl::StrJoin(places, ", ");
  return absl::StrCat(absl::StrJoin(places.begin(), places.begin() + kPlacesShown, ", "), " and ",
                      places.size() - kPlacesShown, " more");
}

}  // namespace

std::vector<Note> Merged(const std::vector<Note>& notes) {
  std::vector<std::pair<std::string, std::vector<std::string>>> by_text;
  std::map<std::string, size_t> index;
  for (const Note& note : notes) {
    const auto [found, is_new] = index.try_emplace(note.text, by_text.size());
    if (is_new) by_text.push_back({note.text, {}});
    std::vector<std::string>& places = by_text[found->second].second;
    if (std::find(places.begin(), places.end(), note.where) == places.end()) places.push_back(note.where);
  }
  std::vector<Note> merged;
  for (const auto& [text, places] : by_text) merged.push_back({Places(places), text});
  return merged;
}

void Hider::Add(std::string_view secret) {
  if (secret.size() >= kShortestSecret) secrets_.emplace_back(secret);
}

void Hider::AddNamed(const Node& value) {
  if (value.kind == Node::Kind::kString && !value.text.starts_with("os.environ/")) {
    for (const absl::string_view line : absl::StrSplit(value.text, absl::ByAnyChar(",\r\n"))) {
      Add(ToStd(absl::StripAsciiWhitespace(line)));
    }
    Add(value.text);
  }
  for (const Node& item : value.items) item.kind == Node::Kind::kMap ? AddAllOf(item) : AddNamed(item);
}

void Hider::AddAllOf(const Node& tree) {
  for (const Node& item : tree.items) AddAllOf(item);
  for (const Node::Entry& entry : tree.entries) {
    if (entry.name == "environment_variables") {
      for (const Node::Entry& variable : entry.value.entries) AddNamed(variable.value);
    } else if (IsNamedLikeSecret(entry.name) && entry.value.kind != Node::Kind::kMap) {
      AddNamed(entry.value);
    } else {
      AddAllOf(entry.value);
    }
  }
}

bool Hider::Holds(std::string_view text) const {
  return std::any_of(secrets_.begin(), secrets_.end(),
                     [text](const Secret& secret) { return text.find(secret.Reveal()) != std::string_view::npos; });
}

std::string Hider::Hidden(std::string text) const {
  for (const Secret& secret : secrets_) {
    for (size_t at = 0; (at = text.find(secret.Reveal(), at)) != std::string::npos;) {
      text.replace(at, secret.Reveal().size(), "(hidden)");
    }
  }
  return text;
}

}  // namespace ccr::cli::migration

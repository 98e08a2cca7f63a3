#include "proxy/formats/chat/reasoning_details.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"

namespace ccr::proxy::chat {
namespace {

constexpr std::string_view kEncrypted = "reasoning.encrypted";
constexpr std::string_view kPieceId = "ccr_";
constexpr uint64_t kPieceHashPrime = 1099511628211U;
constexpr std::array<std::string_view, 4> kDetailTexts = {"text", "summary", "data", "signature"};

struct Claim {
  OpaqueStates states;
  size_t at = 0;
  size_t bytes = 0;
  bool placed = false;  // the text is there, and what it was
};

// The two numbers of a piece's id.
std::optional<std::pair<size_t, size_t>> PlaceOf(std::string_view id) {
  if (!id.starts_with(kPieceId)) return std::nullopt;
  const char* const end = id.data() + id.size();
  size_t at = 0;
  size_t bytes = 0;
  auto read = std::from_chars(id.data() + kPieceId.size(), end, at);
  if (read.ec != std::errc() || read.ptr == end || *read.ptr != '_') return std::nullopt;
  read = std::from_chars(read.ptr + 1, end, bytes);
  if (read.ec != std::errc() || read.ptr == end || *read.ptr != '_') return std::nullopt;
  return std::pair(at, bytes);
}

Claim ReadClaim(const json::object& entry, std::string_view text, size_t from) {
  Claim claim;
  claim.states = UnpackStates(FindText(entry, "data"));
  const std::string_view id = FindText(entry, "id");
  const auto place = PlaceOf(id);
  if (!place || place->first < from || place->first > text.size() || place->second > text.size() - place->first)
    return claim;
  ThinkingPiece piece(place->first);
  piece.Add(text.substr(place->first, place->second));
  claim.placed = piece.Id() == id;
  if (claim.placed) std::tie(claim.at, claim.bytes) = *place;
  return claim;
}

void AddThinking(std::string_view text, OpaqueStates states, std::vector<Part>* parts) {
  Part part;
  part.kind = PartKind::kThinking;
  part.text = text;
  part.state = std::move(states);
  parts->push_back(std::move(part));
}

// Whether the two are pieces of one. Those without an index are where they follow each other.
bool Continues(const json::object& before, const json::object& piece, bool last) {
  if (FindText(before, "type") != FindText(piece, "type")) return false;
  const json::value* index = Find(before, "index");
  const json::value* other = Find(piece, "index");
  if (index != nullptr && other != nullptr) return *index == *other;
  const bool same_id = FindText(piece, "id").empty() || FindText(before, "id") == FindText(piece, "id");
  return last && index == nullptr && other == nullptr && same_id && FindText(piece, "type") != kEncrypted;
}

void Merge(const json::object& piece, json::object* last) {
  for (const json::key_value_pair& member : piece) {
    const std::string_view key(member.key().data(), member.key().size());
    json::value* known = Find(*last, key);
    if (known == nullptr) {
      (*last)[key] = member.value();
    } else if (known->is_string() && member.value().is_string() &&
               std::find(kDetailTexts.begin(), kDetailTexts.end(), key) != kDetailTexts.end()) {
      known->get_string().append(member.value().get_string());
    }
  }
}

size_t SizeOf(const json::object& detail) {
  size_t bytes = sizeof(json::object);
  for (const json::key_value_pair& member : detail) {
    bytes += sizeof(json::key_value_pair) + member.key().size();
    if (member.value().is_string()) bytes += member.value().get_string().size();
  }
  return bytes;
}

}  // namespace

void ThinkingPiece::Add(std::string_view text) {
  for (const char c : text) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * kPieceHashPrime;
  bytes_ += text.size();
}

std::string ThinkingPiece::Id() const {
  return absl::StrCat(ToAbsl(kPieceId), at_, "_", bytes_, "_", absl::Hex(hash_, absl::kZeroPad16));
}

void AppendDetails(const OpaqueStates& states, const ThinkingPiece& piece, size_t* index, ListWriter* list) {
  OpaqueStates others;
  for (const OpaqueState& state : states) {
    if (state.kind != StateKind::kChatReasoningDetails) {
      others.push_back(state);
      continue;
    }
    const absl::StatusOr<json::value> details = ParseJson(state.data);
    const json::array* entries = details.ok() ? details->if_array() : nullptr;
    for (size_t i = 0; entries != nullptr && i < entries->size(); ++i) AppendJson((*entries)[i], list->Next());
  }
  if (others.empty()) return;
  ObjectWriter entry(list->Next());
  entry.Text("type", kEncrypted);
  entry.Text("data", PackStates(others));
  entry.Text("id", piece.Id());
  entry.Integer("index", static_cast<int64_t>((*index)++));
}

std::vector<Part> ThinkingParts(std::string text, const json::array& details) {
  std::vector<Part> parts;
  OpaqueStates unplaced;
  json::array native;
  size_t end = 0;
  for (const json::value& entry : details) {
    const json::object* object = entry.if_object();
    if (object == nullptr || !IsPackedState(FindText(*object, "data"))) {
      native.push_back(entry);
      continue;
    }
    Claim claim = ReadClaim(*object, text, end);
    if (!claim.placed) {
      for (OpaqueState& state : claim.states)
        if (state.kind != StateKind::kAnthropicSignature) unplaced.push_back(std::move(state));
      continue;
    }
    if (claim.at > end) AddThinking(std::string_view(text).substr(end, claim.at - end), {}, &parts);
    AddThinking(std::string_view(text).substr(claim.at, claim.bytes), std::move(claim.states), &parts);
    end = claim.at + claim.bytes;
  }
  if (!native.empty()) unplaced.push_back({StateKind::kChatReasoningDetails, ToJson(json::value(std::move(native)))});
  if (end < text.size() || parts.empty()) {
    AddThinking(std::string_view(text).substr(end), std::move(unplaced), &parts);
  } else {
    for (OpaqueState& state : unplaced) parts.back().state.push_back(std::move(state));
  }
  return parts;
}

std::string DetailTexts(const json::array& details) {
  std::string texts;
  for (const json::value& entry : details) {
    const json::object* detail = entry.if_object();
    if (detail == nullptr) continue;
    texts += FindText(*detail, "text");
    texts += FindText(*detail, "summary");
  }
  return texts;
}

size_t DetailCollector::Add(const json::array& details) {
  size_t held = 0;
  for (const json::value& entry : details) {
    const json::object* piece = entry.if_object();
    if (piece == nullptr) continue;
    held += SizeOf(*piece);
    // Pieces of one come behind each other, or nearly so: none is looked for far behind.
    constexpr size_t kNear = 8;
    const size_t first = entries_.size() > kNear ? entries_.size() - kNear : 0;
    size_t i = entries_.size();
    while (i > first && !Continues(entries_[i - 1].get_object(), *piece, i == entries_.size())) --i;
    if (i > first) {
      Merge(*piece, &entries_[i - 1].get_object());
    } else {
      entries_.push_back(*piece);
    }
  }
  return held;
}

std::string DetailCollector::TakeJson() {
  std::string text;
  AppendJson(entries_, &text);
  entries_.clear();
  return text;
}

}  // namespace ccr::proxy::chat

#include "proxy/formats/transformers/json_repair.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/ascii.h"
#include "proxy/core/utf8.h"

namespace ccr::proxy {
namespace {

constexpr int kMaxRepairDepth = 64;
constexpr uint32_t kNoCharacter = 0xFFFD;
constexpr std::string_view kSpace = " \t\r\n";

std::string_view Trim(std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(kSpace), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

// Reads whatever it is given as a value; every step takes at least one byte or ends a level, so it always ends.
class LenientReader {
 public:
  LenientReader(std::string_view text, JsonBudget* budget) : text_(text), budget_(budget) {}

  json::value Value() {
    Skip();
    if (depth_ >= kMaxRepairDepth || !budget_->Take()) pos_ = text_.size();
    switch (Peek()) {
      case '{':
        return Object();
      case '[':
        return Array();
      case '"':
      case '\'':
        return json::value(Quoted());
      default:
        return Bare();
    }
  }

 private:
  bool AtEnd() const { return pos_ >= text_.size(); }
  char Peek() const { return AtEnd() ? '\0' : text_[pos_]; }

  // Spaces and comments.
  void Skip() {
    while (true) {
      pos_ = std::min(text_.find_first_not_of(kSpace, pos_), text_.size());
      const std::string_view next = text_.substr(pos_, 2);
      if (next == "//") {
        pos_ = std::min(text_.find('\n', pos_), text_.size());
      } else if (next == "/*") {
        const size_t end = text_.find("*/", pos_ + 2);
        pos_ = end == std::string_view::npos ? text_.size() : end + 2;
      } else {
        return;
      }
    }
  }

  // To the next member or element; false behind the last one.
  bool More(char closing) {
    Skip();
    while (Peek() == ',') {
      ++pos_;
      Skip();
    }
    if (AtEnd()) return false;
    if (Peek() != closing) return true;
    ++pos_;
    return false;
  }

  json::value Object() {
    ++pos_;
    ++depth_;
    json::object object;
    while (More('}')) {
      const size_t before = pos_;
      const std::string key = Peek() == '"' || Peek() == '\'' ? Quoted() : std::string(BareText(":,}"));
      Skip();
      if (Peek() == ':' || Peek() == '=') ++pos_;
      json::value value = Value();
      if (!key.empty()) object[key] = std::move(value);
      if (pos_ == before) ++pos_;
    }
    --depth_;
    return object;
  }

  json::value Array() {
    ++pos_;
    ++depth_;
    json::array array;
    while (More(']')) {
      const size_t before = pos_;
      json::value value = Value();
      if (pos_ != before) array.push_back(std::move(value));
      if (pos_ == before) ++pos_;  // a bracket of another kind
    }
    --depth_;
    return array;
  }

  // A quote ends the text only where what follows can follow a text.
  bool EndsText(size_t quote) const {
    const size_t next = text_.find_first_not_of(kSpace, quote + 1);
    if (next == std::string_view::npos || std::string_view(",:}]").find(text_[next]) != std::string_view::npos)
      return true;
    return text_[next] == text_[quote] && IsKey(next);
  }

  // Whether a text in these quotes and a colon follow: the comma before it is missing.
  bool IsKey(size_t quote) const {
    const size_t closing = text_.find(text_[quote], quote + 1);
    if (closing == std::string_view::npos) return false;
    const size_t next = text_.find_first_not_of(kSpace, closing + 1);
    return next != std::string_view::npos && text_[next] == ':';
  }

  std::string Quoted() {
    const char quote = text_[pos_++];
    std::string out;
    while (!AtEnd()) {
      const char c = text_[pos_];
      if (c == quote && EndsText(pos_)) {
        ++pos_;
        return out;
      }
      if (c == '\\') {
        Escape(&out);
      } else {
        out.push_back(c);
        ++pos_;
      }
    }
    return out;
  }

  void Escape(std::string* out) {
    static constexpr std::string_view kNames = "bfnrtv";
    static constexpr std::string_view kMeaning = "\b\f\n\r\t\v";
    ++pos_;
    if (AtEnd()) return;
    const char c = text_[pos_++];
    if (const size_t known = kNames.find(c); known != std::string_view::npos) {
      out->push_back(kMeaning[known]);
    } else if (c == 'u') {
      Unicode(out);
    } else if (c != '\n') {  // which continues the line
      out->push_back(c);
    }
  }

  void Unicode(std::string* out) {
    uint32_t unit = HexUnit();
    if (IsHighSurrogate(unit) && text_.substr(pos_, 2) == "\\u") {
      pos_ += 2;
      const uint32_t low = HexUnit();
      unit = IsLowSurrogate(low) ? JoinSurrogates(unit, low) : kNoCharacter;
    }
    AppendUtf8(IsHighSurrogate(unit) || IsLowSurrogate(unit) ? kNoCharacter : unit, out);
  }

  uint32_t HexUnit() {
    uint32_t unit = kNoCharacter;
    const std::string_view digits = text_.substr(pos_, 4);
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), unit, 16);
    pos_ += static_cast<size_t>(parsed.ptr - digits.data());
    return unit;
  }

  std::string_view BareText(std::string_view ends) {
    size_t end = pos_;
    while (end < text_.size() && text_[end] != '\n' && ends.find(text_[end]) == std::string_view::npos &&
           text_.substr(end, 2) != "/*") {
      ++end;
    }
    const std::string_view text = Trim(text_.substr(pos_, end - pos_));
    pos_ = end;
    return text;
  }

  json::value Bare() {
    const std::string_view text = BareText(",}]");
    const std::string lower = absl::AsciiStrToLower({text.data(), text.size()});
    if (lower == "true" || lower == "false") return json::value(lower == "true");
    if (lower.empty() || lower == "null" || lower == "none" || lower == "undefined" || lower == "nan") return nullptr;
    absl::StatusOr<json::value> number = ParseJson(text);
    return number.ok() ? *std::move(number) : json::value(std::string(text));
  }

  const std::string_view text_;
  JsonBudget* const budget_;
  size_t pos_ = 0;
  int depth_ = 0;
};

}  // namespace

std::string RepairArguments(std::string_view text, JsonBudget* budget) {
  if (Trim(text).empty()) return "{}";
  if (!budget->Take(text)) return std::string(text);
  const absl::StatusOr<json::value> parsed = ParseJson(text);
  if (parsed.ok() && parsed->is_object()) return std::string(text);
  std::string inner;
  if (parsed.ok() && parsed->is_string()) inner = View(parsed->get_string());
  const std::string_view given = inner.empty() ? text : std::string_view(inner);
  const size_t start = given.find('{');
  if (start == std::string_view::npos) return std::string(text);
  if (!inner.empty() && ParseJson(given).ok()) return inner;
  const json::value repaired = LenientReader(given.substr(start), budget).Value();
  return budget->exceeded() ? std::string(text) : ToJson(repaired);
}

}  // namespace ccr::proxy

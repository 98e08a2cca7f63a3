#include "proxy/formats/transformers/exit_text.h"

#include <algorithm>
#include <array>
#include <utility>

#include "proxy/formats/transformers/json_repair.h"

namespace ccr::proxy {
namespace {

constexpr std::array<std::string_view, 4> kBeforeText = {"{", "\"response\"", ":", "\""};

// Whether an escape is the first half of a surrogate pair.
bool BeginsPair(std::string_view escape) {
  return (escape[2] == 'd' || escape[2] == 'D') && std::string_view("89abAB").find(escape[3]) != std::string_view::npos;
}

// Length of the escape at the start of `text`; 0 while it is not complete.
size_t EscapeLength(std::string_view text) {
  if (text.size() < 2) return 0;
  if (text[1] != 'u') return 2;
  if (text.size() < 6) return 0;
  if (!BeginsPair(text)) return 6;
  if (text.size() >= 7 && text[6] != '\\') return 6;
  if (text.size() >= 8 && text[7] != 'u') return 6;
  return text.size() < 12 ? 0 : 12;
}

}  // namespace

std::string ExitText::Whole(std::string_view arguments, JsonBudget* budget) {
  const absl::StatusOr<json::value> parsed = ParseJson(RepairArguments(arguments, budget));
  if (!parsed.ok() || !parsed->is_object()) return std::string(arguments);
  return std::string(FindText(parsed->get_object(), "response"));
}

std::string ExitText::Feed(std::string_view piece) {
  if (state_ == State::kOver) return {};
  arguments_ += piece;
  if (state_ == State::kBefore) SeekText();
  return state_ == State::kInText ? Decode() : std::string();
}

std::string ExitText::Finish(JsonBudget* budget) {
  const State state = std::exchange(state_, State::kOver);
  return state == State::kBefore || state == State::kOther ? Whole(arguments_, budget) : std::string();
}

void ExitText::SeekText() {
  for (; expected_ < kBeforeText.size(); ++expected_) {
    const std::string_view expected = kBeforeText[expected_];
    decoded_ = std::min(arguments_.find_first_not_of(" \t\r\n", decoded_), arguments_.size());
    const std::string_view found = std::string_view(arguments_).substr(decoded_, expected.size());
    if (!expected.starts_with(found)) state_ = State::kOther;
    if (found != expected) return;
    decoded_ += expected.size();
  }
  state_ = State::kInText;
}

std::string ExitText::Decode() {
  const std::string_view text = arguments_;
  size_t end = decoded_;
  while (end < text.size() && text[end] != '"') {
    const size_t length = text[end] == '\\' ? EscapeLength(text.substr(end)) : 1;
    if (length == 0) break;
    end += length;
  }
  std::string quoted = "\"" + std::string(text.substr(decoded_, end - decoded_)) + "\"";
  const absl::StatusOr<json::value> decoded = ParseJson(quoted);
  std::string out = decoded.ok() && decoded->is_string() ? std::string(View(decoded->get_string()))
                                                         : quoted.substr(1, quoted.size() - 2);
  if (end < text.size() && text[end] == '"') state_ = State::kOver;
  arguments_.erase(0, end);
  decoded_ = 0;
  return out;
}

}  // namespace ccr::proxy

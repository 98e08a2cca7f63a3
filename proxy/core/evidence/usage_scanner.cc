#include "proxy/core/evidence/usage_scanner.h"

#include <algorithm>
#include <cstring>

namespace ccr::proxy {
namespace {

constexpr std::string_view kTokens = "_tokens\"";
constexpr std::string_view kReason = "_reason\"";
constexpr std::string_view kGeminiCount = "TokenCount\"";
constexpr std::string_view kGeminiReason = "Reason\"";
constexpr std::string_view kErrorObject = "{\"error\":{";
constexpr std::string_view kErrorText = "{\"error\":\"";
constexpr uint64_t kMaxCount = 1'000'000'000'000;

bool IsSpace(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// Takes `word` off the front of `text`, and the spaces before it.
bool Skip(std::string_view word, std::string_view* text) {
  while (text->starts_with(' ')) text->remove_prefix(1);
  if (!text->starts_with(word)) return false;
  text->remove_prefix(word.size());
  return true;
}

// An error that is not null, as a value that begins with `text`.
bool IsError(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  return text.starts_with('{') || text.starts_with('"');
}

// What `text` holds before its first quote; nothing when it has none.
std::string_view TakeString(std::string_view text) {
  const size_t end = text.find('"');
  return end == text.npos ? std::string_view() : text.substr(0, end);
}

bool IsErrorName(std::string_view name) {
  return name == "error" || name == "response.failed";
}
bool IsEndName(std::string_view name) {
  return name == "message_stop" || name == "response.completed" || name == "response.incomplete";
}

// Whether the text of an object begins with `"name":`, which is taken off.
bool SkipMember(std::string_view name, std::string_view* object) {
  std::string_view text = *object;
  if (!Skip("{", &text) || !Skip("\"", &text) || !text.starts_with(name)) return false;
  text.remove_prefix(name.size());
  if (!text.starts_with('"')) return false;
  text.remove_prefix(1);
  if (!Skip(":", &text)) return false;
  *object = text;
  return true;
}

}  // namespace

void UsageScanner::Feed(std::string_view bytes) {
  ScanFields(bytes);
  if (body_ == Body::kEventStream) {
    ScanLines(bytes);
  } else if (!judged_) {
    ScanStart(bytes);
  }
}

UsageScanner::Match UsageScanner::FindKey(std::string_view text) const {
  return names_ == Names::kGemini ? FindGeminiKey(text) : FindSnakeCaseKey(text);
}

// Every name looked for ends in "_tokens" or "_reason", and in JSON these bytes with a plain quote around them are a
// string of their own: inside another string the quotes would be escaped.
UsageScanner::Match UsageScanner::FindSnakeCaseKey(std::string_view text) {
  for (size_t pos = text.find('_'); pos != text.npos; pos = text.find('_', pos + 1)) {
    const std::string_view suffix = text.substr(pos, kTokens.size());
    const std::string_view before = text.substr(0, pos);
    Field field = Field::kNone;
    if (suffix == kTokens) {
      if (before.ends_with("\"input") || before.ends_with("\"prompt")) field = Field::kInput;
      if (before.ends_with("\"cache_read_input")) field = Field::kCacheRead;
      if (before.ends_with("\"cache_creation_input")) field = Field::kCacheWrite;
      if (before.ends_with("\"output") || before.ends_with("\"completion")) field = Field::kOutput;
    } else if (suffix == kReason && before.ends_with("\"finish")) {
      field = Field::kFinish;
    }
    if (field != Field::kNone) return {field, pos + suffix.size()};
  }
  return {};
}

// The same for "TokenCount" and "Reason".
UsageScanner::Match UsageScanner::FindGeminiKey(std::string_view text) {
  for (size_t pos = text.find_first_of("TR"); pos != text.npos; pos = text.find_first_of("TR", pos + 1)) {
    const std::string_view suffix = text.substr(pos);
    const std::string_view before = text.substr(0, pos);
    Field field = Field::kNone;
    if (suffix.starts_with(kGeminiCount)) {
      if (before.ends_with("\"prompt")) field = Field::kInput;
      if (before.ends_with("\"candidates")) field = Field::kOutput;
      if (before.ends_with("\"thoughts")) field = Field::kThoughts;
      if (field != Field::kNone) return {field, pos + kGeminiCount.size()};
    } else if (suffix.starts_with(kGeminiReason) && (before.ends_with("\"finish") || before.ends_with("\"block"))) {
      return {Field::kFinish, pos + kGeminiReason.size()};
    }
  }
  return {};
}

void UsageScanner::ScanFields(std::string_view bytes) {
  while (!bytes.empty()) {
    if (mode_ == Mode::kSearch) {
      Match match = FindKeyAcross(bytes);
      if (match.field == Field::kNone) match = FindKey(bytes);
      if (match.field == Field::kNone) return KeepTail(bytes);
      field_ = match.field;
      mode_ = Mode::kColon;
      tail_size_ = 0;
      bytes.remove_prefix(match.end);
    } else {
      bytes.remove_prefix(Step(bytes[0]));
    }
  }
}

// A key that began in the tail, its end as an offset into `bytes`.
UsageScanner::Match UsageScanner::FindKeyAcross(std::string_view bytes) const {
  if (tail_size_ == 0) return {};
  std::array<char, 2 * kTail> joint;
  const size_t taken = std::min(bytes.size(), kTail);
  std::memcpy(joint.data(), tail_.data(), tail_size_);
  std::memcpy(joint.data() + tail_size_, bytes.data(), taken);
  Match match = FindKey({joint.data(), tail_size_ + taken});
  match.end -= std::min(match.end, tail_size_);
  return match;
}

void UsageScanner::KeepTail(std::string_view bytes) {
  const size_t added = std::min(bytes.size(), kTail);
  const size_t kept = std::min(tail_size_, kTail - added);
  std::memmove(tail_.data(), tail_.data() + tail_size_ - kept, kept);
  std::memcpy(tail_.data() + kept, bytes.data() + bytes.size() - added, added);
  tail_size_ = kept + added;
}

// Reads one character behind a key. Returns how many were used: none when the value is at its end.
size_t UsageScanner::Step(char c) {
  switch (mode_) {
    case Mode::kColon:
    case Mode::kValue:
      if (IsSpace(c)) return 1;
      if (mode_ == Mode::kColon && c == ':') return mode_ = Mode::kValue, 1;
      number_ = 0;
      word_size_ = 0;
      if (mode_ == Mode::kValue && field_ != Field::kFinish && IsDigit(c)) return mode_ = Mode::kNumber, 0;
      if (mode_ == Mode::kValue && field_ == Field::kFinish && c == '"') return mode_ = Mode::kWord, 1;
      return mode_ = Mode::kSearch, 0;
    case Mode::kNumber:
      if (!IsDigit(c)) return EndValue(), 0;
      number_ = std::min(number_ * 10 + static_cast<uint64_t>(c - '0'), kMaxCount);
      return 1;
    case Mode::kWord:
      if (c == '"') return EndValue(), 1;
      if (word_size_ < word_.size()) word_[word_size_++] = c;
      return 1;
    case Mode::kSearch:
      break;
  }
  return 0;
}

void UsageScanner::EndValue() {
  if (field_ == Field::kInput) input_tokens_ = number_;
  if (field_ == Field::kCacheRead) cache_read_tokens_ = number_;
  if (field_ == Field::kCacheWrite) cache_write_tokens_ = number_;
  if (field_ == Field::kOutput) output_tokens_ = number_;
  if (field_ == Field::kThoughts) thought_tokens_ = number_;
  if (field_ == Field::kFinish && word_size_ > 0) {
    (std::string_view(word_.data(), word_size_) == "error" ? error_ : ended_) = true;
  }
  mode_ = Mode::kSearch;
}

void UsageScanner::ScanStart(std::string_view bytes) {
  for (const char c : bytes) {
    if (IsSpace(c)) continue;
    prefix_[prefix_size_++] = c;
    if (prefix_size_ < kErrorObject.size()) continue;
    const std::string_view start(prefix_.data(), prefix_size_);
    error_ |= start == kErrorObject || start == kErrorText;
    judged_ = true;
    return;
  }
}

void UsageScanner::ScanLines(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = std::min(bytes.find('\n'), bytes.size());
    if (!judged_) {
      const size_t taken = std::min(end, kPrefix - prefix_size_);
      std::memcpy(prefix_.data() + prefix_size_, bytes.data(), taken);
      prefix_size_ += taken;
      if (prefix_size_ == kPrefix || end < bytes.size()) EndPrefix();
    }
    if (end == bytes.size()) return;
    judged_ = false;
    prefix_size_ = 0;
    bytes.remove_prefix(end + 1);
  }
}

void UsageScanner::EndPrefix() {
  const LineVerdict verdict = JudgeLine();
  ended_ |= verdict.ended;
  error_ |= verdict.error;
  judged_ = true;
}

// What the present line says by its prefix, unless that was told before.
UsageScanner::LineVerdict UsageScanner::JudgeLine() const {
  if (judged_ || body_ != Body::kEventStream) return {};
  std::string_view line(prefix_.data(), prefix_size_);
  if (line.ends_with('\r')) line.remove_suffix(1);
  std::string_view name;
  if (Skip("event:", &line)) {
    while (line.starts_with(' ')) line.remove_prefix(1);
    name = line;
  } else if (Skip("data:", &line)) {
    if (Skip("[DONE]", &line)) return {.ended = true};
    if (SkipMember("error", &line)) return {.error = IsError(line)};
    if (SkipMember("type", &line) && Skip("\"", &line)) name = TakeString(line);
  }
  return {.ended = IsEndName(name), .error = IsErrorName(name)};
}

}  // namespace ccr::proxy

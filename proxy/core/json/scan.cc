#include "proxy/core/json/scan.h"

#include <array>
#include <bitset>

#include "absl/strings/str_cat.h"
#include "proxy/core/json/plain.h"
#include "proxy/core/json/text.h"

namespace ccr::proxy {
namespace {

constexpr size_t kVisitedDepth = 2;
constexpr size_t kMaxSession = 256;
constexpr std::string_view kSessionMark = "_session_";

// Walks over one JSON object. Tells the visitor of the members of the objects at depth 1 (the top level) and 2:
// OnKey(depth, key with its quotes), then OnValue(depth, begin, end).
template <typename Visitor>
class Scanner {
 public:
  Scanner(std::string_view text, Visitor& visitor) : text_(text), visitor_(visitor) {}

  bool Run() {
    SkipSpace();
    if (Peek() != '{') return Fail("not a JSON object");
    if (!Value()) return false;
    while (depth_ > 0) {
      if (!Next()) return false;
    }
    SkipSpace();
    return pos_ == text_.size() || Fail("text behind the JSON object");
  }

  const std::string& error() const { return error_; }

 private:
  // One step inside a container: its end, or its next element, of which a container is only opened.
  bool Next() {
    SkipSpace();
    const bool object = is_object_[depth_];
    if (Peek() == (object ? '}' : ']')) {
      ++pos_;
      --depth_;
      return Done();
    }
    if (!first_) {
      if (Peek() != ',') return Fail(object ? "expected ',' or '}'" : "expected ',' or ']'");
      ++pos_;
      SkipSpace();
    }
    return (!object || Key()) && Value();
  }

  bool Key() {
    const size_t begin = pos_;
    if (Peek() != '"') return Fail("expected a string as the name of a member");
    if (!String()) return false;
    if (depth_ <= kVisitedDepth) visitor_.OnKey(depth_, text_.substr(begin, pos_ - begin));
    SkipSpace();
    if (Peek() != ':') return Fail("expected ':'");
    ++pos_;
    SkipSpace();
    return true;
  }

  bool Value() {
    if (depth_ <= kVisitedDepth) value_begin_[depth_] = pos_;
    switch (Peek()) {
      case '{':
        return Open(true);
      case '[':
        return Open(false);
      case '"':
        return String() && Done();
      case 't':
        return Literal("true") && Done();
      case 'f':
        return Literal("false") && Done();
      case 'n':
        return Literal("null") && Done();
      default:
        return Number() && Done();
    }
  }

  bool Open(bool object) {
    if (depth_ == kMaxJsonDepth) return Fail("nested too deeply");
    ++pos_;
    is_object_[++depth_] = object;
    first_ = true;
    return true;
  }

  bool Done() {
    first_ = false;
    if (depth_ <= kVisitedDepth && is_object_[depth_]) visitor_.OnValue(depth_, value_begin_[depth_], pos_);
    return true;
  }

  bool String() {
    const char* const end = text_.data() + text_.size();
    for (const char* p = text_.data() + pos_ + 1;;) {
      p = SkipPlain(p, end);
      pos_ = static_cast<size_t>(p - text_.data());
      if (p == end) return Fail("a string without an end");
      if (*p == '"') return ++pos_, true;
      if (*p != '\\') return Fail("a control character in a string");
      if (!Escape()) return false;
      p = text_.data() + pos_;
    }
  }

  bool Escape() {
    const char c = At(pos_ + 1);
    if (c == '\0' || std::string_view("\"\\/bfnrtu").find(c) == std::string_view::npos) return Fail("a bad escape");
    if (c == 'u') {
      for (size_t i = 2; i < 6; ++i) {
        if (!IsHex(At(pos_ + i))) return Fail("a bad escape");
      }
    }
    pos_ += c == 'u' ? 6 : 2;
    return true;
  }

  bool Number() {
    if (Peek() == '-') ++pos_;
    if (Peek() == '0') {
      ++pos_;
    } else if (!Digits()) {
      return Fail("expected a value");
    }
    if (Peek() == '.') {
      ++pos_;
      if (!Digits()) return Fail("a bad number");
    }
    if (Peek() == 'e' || Peek() == 'E') {
      ++pos_;
      if (Peek() == '+' || Peek() == '-') ++pos_;
      if (!Digits()) return Fail("a bad number");
    }
    return true;
  }

  bool Digits() {
    const size_t begin = pos_;
    while (IsDigit(Peek())) ++pos_;
    return pos_ > begin;
  }

  bool Literal(std::string_view word) {
    if (text_.substr(pos_, word.size()) != word) return Fail("expected a value");
    pos_ += word.size();
    return true;
  }

  void SkipSpace() {
    while (Peek() == ' ' || Peek() == '\n' || Peek() == '\r' || Peek() == '\t') ++pos_;
  }

  // NUL, which JSON has nowhere, stands for the end.
  char At(size_t pos) const { return pos < text_.size() ? text_[pos] : '\0'; }
  char Peek() const { return At(pos_); }
  static bool IsDigit(char c) { return c >= '0' && c <= '9'; }
  static bool IsHex(char c) { return IsDigit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

  bool Fail(const char* what) {
    error_ = absl::StrCat("malformed JSON: ", what, " at offset ", pos_);
    return false;
  }

  const std::string_view text_;
  Visitor& visitor_;
  size_t pos_ = 0;
  size_t depth_ = 0;    // containers that are open
  bool first_ = false;  // no element of the innermost container was read yet
  std::bitset<kMaxJsonDepth + 1> is_object_;
  std::array<size_t, kVisitedDepth + 1> value_begin_{};
  std::string error_;
};

struct SessionVisitor {
  explicit SessionVisitor(std::string_view object_text) : object(object_text) {}

  void OnKey(size_t depth, std::string_view key) { wanted = depth == 1 && JsonStringIs(key, "session_id"); }
  void OnValue(size_t depth, size_t begin, size_t end) {
    if (depth != 1 || !wanted || object[begin] != '"') return;
    session = DecodeJsonString(object.substr(begin, end - begin));
  }

  const std::string_view object;
  bool wanted = false;
  std::string session;
};

std::string SessionOfObject(std::string_view object) {
  SessionVisitor visitor(object);
  return Scanner(object, visitor).Run() ? std::move(visitor.session) : std::string();
}

// `user_id` is a JSON value, or empty.
std::string SessionOf(std::string_view user_id) {
  if (user_id.empty()) return "";
  if (user_id[0] == '{') return SessionOfObject(user_id);
  if (user_id[0] != '"') return "";
  const std::string text = DecodeJsonString(user_id);
  if (text.starts_with('{')) return SessionOfObject(text);
  const size_t mark = text.rfind(kSessionMark);
  return mark == text.npos ? "" : text.substr(mark + kSessionMark.size());
}

class BodyVisitor {
 public:
  BodyVisitor(std::string_view body, BodyScan* scan) : body_(body), scan_(scan) {}

  void OnKey(size_t depth, std::string_view key) {
    if (depth == 2) {
      is_user_id_ = member_ == Member::kMetadata && JsonStringIs(key, "user_id");
      return;
    }
    member_ = JsonStringIs(key, "model")              ? Member::kModel
              : JsonStringIs(key, "stream")           ? Member::kStream
              : JsonStringIs(key, "metadata")         ? Member::kMetadata
              : JsonStringIs(key, "prompt_cache_key") ? Member::kCacheKey
                                                      : Member::kOther;
    if (member_ == Member::kMetadata) user_id_ = {};
    if (member_ == Member::kCacheKey) cache_key_ = {};
  }

  void OnValue(size_t depth, size_t begin, size_t end) {
    const std::string_view value = body_.substr(begin, end - begin);
    if (depth == 2) {
      if (is_user_id_) user_id_ = value;
    } else if (member_ == Member::kCacheKey) {
      cache_key_ = value;
    } else if (member_ == Member::kStream) {
      scan_->stream = value == "true";
    } else if (member_ == Member::kModel) {
      scan_->model_begin = begin;
      scan_->model_end = end;
      scan_->model.reset();
      if (value[0] == '"') scan_->model = DecodeJsonString(value);
    }
  }

  std::string_view user_id() const { return user_id_; }
  std::string_view cache_key() const { return cache_key_; }

 private:
  enum class Member { kOther, kModel, kStream, kMetadata, kCacheKey };

  const std::string_view body_;
  BodyScan* const scan_;
  Member member_ = Member::kOther;
  bool is_user_id_ = false;
  std::string_view user_id_;
  std::string_view cache_key_;
};

}  // namespace

BodyScan ScanBody(std::string_view body) {
  BodyScan scan;
  BodyVisitor visitor(body, &scan);
  Scanner scanner(body, visitor);
  if (!scanner.Run()) {
    BodyScan failed;
    failed.error = scanner.error();
    return failed;
  }
  scan.valid = true;
  if (scan.model_end == 0) scan.model_begin = scan.model_end = body.find('{') + 1;
  scan.session = SessionOf(visitor.user_id());
  if (scan.session.empty() && visitor.cache_key().starts_with('"'))
    scan.session = DecodeJsonString(visitor.cache_key());
  if (scan.session.size() > kMaxSession) scan.session.clear();
  return scan;
}

}  // namespace ccr::proxy

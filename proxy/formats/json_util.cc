#include "proxy/formats/json_util.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/core/json/plain.h"
#include "proxy/core/json/scan.h"
#include "proxy/core/utf8.h"

namespace ccr::proxy {
namespace {

constexpr uint64_t kMaxCount = (uint64_t{1} << 53) - 1;
constexpr uint32_t kNoUnit = ~uint32_t{0};

// The UTF-16 unit of the escape "\uXXXX" at `pos`; kNoUnit when there is none.
uint32_t UnicodeEscape(std::string_view text, size_t pos) {
  if (pos + 6 > text.size() || text[pos] != '\\' || text[pos + 1] != 'u') return kNoUnit;
  uint32_t unit = 0;
  const char* digits = text.data() + pos + 2;
  const auto parsed = std::from_chars(digits, digits + 4, unit, 16);
  return parsed.ptr == digits + 4 ? unit : kNoUnit;
}

std::string ReplaceLoneSurrogates(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) {
    const size_t escape = std::min(text.find('\\', pos), text.size());
    out += text.substr(pos, escape - pos);
    const uint32_t unit = UnicodeEscape(text, escape);
    const bool pair = IsHighSurrogate(unit) && IsLowSurrogate(UnicodeEscape(text, escape + 6));
    const bool lone = !pair && (IsHighSurrogate(unit) || IsLowSurrogate(unit));
    const size_t length = pair ? 12 : unit != kNoUnit ? 6 : 2;
    out += lone ? "\\ufffd" : text.substr(std::min(escape, text.size()), length);
    pos = escape + length;
  }
  return out;
}

// How many values a text has, up to about `most` + 1: each but the first follows a comma or is the first of its list or
// object.
size_t CountValues(std::string_view text, size_t most) {
  size_t values = 1;
  char before = '\0';
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p != end && values <= most; ++p) {
    if (*p == '"') {
      for (p = SkipPlain(p + 1, end); p != end && *p != '"'; p = SkipPlain(p, end))
        p += *p == '\\' && p + 1 != end ? 2 : 1;
      if (p == end) break;
    } else if (*p == ',' || *p == '{' || *p == '[') {
      ++values;
    } else if ((*p == '}' && before == '{') || (*p == ']' && before == '[')) {
      --values;
    }
    if (!absl::ascii_isspace(static_cast<unsigned char>(*p))) before = *p;
  }
  return values;
}

// Boost's objects hash names with nothing but their own address. Who sends a text could tell it, and names that all
// fall into one bucket, where memory begins at a page and is given out in order.
void ShiftAddresses(std::string_view text, const json::storage_ptr& storage) {
  constexpr size_t kHarmless = 16 * 1024;
  constexpr size_t kAlignment = 16;
  if (text.size() < kHarmless || !storage.is_deallocate_trivial()) return;
  const size_t shift = absl::Hash<absl::string_view>()(ToAbsl(text)) % kHarmless;
  (void)storage->allocate(kAlignment * (shift + 1), kAlignment);
}

json::value Parse(std::string_view text, const json::storage_ptr& storage, json::error_code* error) {
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  options.allow_invalid_utf8 = true;
  return json::parse(json::string_view(text.data(), text.size()), *error, storage, options);
}

template <typename Number>
void AppendNumber(Number number, std::string* out) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, number);
  out->append(text, end.ptr);
}

void AppendDouble(double number, std::string* out) {
  if (!std::isfinite(number)) {
    out->append("null");
    return;
  }
  AppendNumber(number, out);
}

}  // namespace

bool JsonBudget::Take(std::string_view text) {
  const size_t values = CountValues(text, left_);
  exceeded_ |= values > left_;
  left_ -= std::min(values, left_);
  return !exceeded_;
}

absl::Status JsonBudget::status() const {
  if (!exceeded_) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("too large to be translated: more than ", kMaxJsonValues, " JSON values"));
}

absl::StatusOr<json::value> ParseJson(std::string_view text, const json::storage_ptr& storage) {
  if (JsonBudget budget; !budget.Take(text)) return budget.status();
  json::error_code error;
  ShiftAddresses(text, storage);
  json::value value = Parse(text, storage, &error);
  if (error && text.find("\\u") != text.npos) {
    value = Parse(ReplaceLoneSurrogates(text), storage, &error);
  }
  if (error) return absl::InvalidArgumentError(absl::StrCat("not valid JSON: ", error.message()));
  return value;
}

void AppendJson(const json::object& object, std::string* out) {
  char separator = '{';
  for (const json::key_value_pair& member : object) {
    *out += separator;
    AppendJsonString({member.key().data(), member.key().size()}, out);
    *out += ':';
    AppendJson(member.value(), out);
    separator = ',';
  }
  out->append(object.empty() ? "{}" : "}");
}

void AppendJson(const json::array& array, std::string* out) {
  char separator = '[';
  for (const json::value& element : array) {
    *out += separator;
    AppendJson(element, out);
    separator = ',';
  }
  out->append(array.empty() ? "[]" : "]");
}

void AppendJson(const json::value& value, std::string* out) {
  switch (value.kind()) {
    case json::kind::object:
      return AppendJson(value.get_object(), out);
    case json::kind::array:
      return AppendJson(value.get_array(), out);
    case json::kind::string:
      return AppendJsonString(View(value.get_string()), out);
    case json::kind::int64:
      return AppendNumber(value.get_int64(), out);
    case json::kind::uint64:
      return AppendNumber(value.get_uint64(), out);
    case json::kind::double_:
      return AppendDouble(value.get_double(), out);
    case json::kind::bool_:
      out->append(value.get_bool() ? "true" : "false");
      return;
    case json::kind::null:
      out->append("null");
  }
}

std::string ToJson(const json::value& value) {
  std::string out;
  AppendJson(value, &out);
  return out;
}

std::string_view View(const json::string& text) {
  return {text.data(), text.size()};
}

std::string Utf8Prefix(std::string_view text, size_t limit) {
  constexpr size_t kMaxCharacter = 4;
  std::string prefix = DecodeJsonString(JsonString(text.substr(0, limit + kMaxCharacter)));
  if (prefix.size() <= limit) return prefix;
  while (limit > 0 && (static_cast<unsigned char>(prefix[limit]) & 0xC0) == 0x80) --limit;
  prefix.resize(limit);
  return prefix;
}

const json::value* Find(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains({key.data(), key.size()});
  return value == nullptr || value->is_null() ? nullptr : value;
}

json::value* Find(json::object& object, std::string_view key) {
  return const_cast<json::value*>(Find(std::as_const(object), key));
}

const json::object* FindObject(const json::object& object, std::string_view key) {
  const json::value* value = Find(object, key);
  return value == nullptr ? nullptr : value->if_object();
}

json::object* FindObject(json::object& object, std::string_view key) {
  return const_cast<json::object*>(FindObject(std::as_const(object), key));
}

const json::array* FindArray(const json::object& object, std::string_view key) {
  const json::value* value = Find(object, key);
  return value == nullptr ? nullptr : value->if_array();
}

json::array* FindArray(json::object& object, std::string_view key) {
  return const_cast<json::array*>(FindArray(std::as_const(object), key));
}

std::string_view FindText(const json::object& object, std::string_view key) {
  const json::value* value = Find(object, key);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view() : View(*text);
}

bool FindBool(const json::object& object, std::string_view key) {
  const json::value* value = Find(object, key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

uint64_t FindUint(const json::object& object, std::string_view key) {
  const json::value* value = Find(object, key);
  if (value == nullptr || !value->is_number()) return 0;
  json::error_code error;
  const auto number = value->to_number<uint64_t>(error);
  return error ? 0 : std::min(number, kMaxCount);
}

size_t JsonEndFinder::Feed(std::string_view piece) {
  if (closed_) return 0;
  for (size_t i = 0; i < piece.size() && !scalar_; ++i) {
    const char c = piece[i];
    if (in_string_) {
      if (!escaped_ && c == '"') in_string_ = false;
      escaped_ = !escaped_ && c == '\\';
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if (c == '}' || c == ']') {
      closed_ = --depth_ <= 0;
      if (closed_) return i + 1;
    } else if (depth_ == 0) {
      scalar_ = c != ' ' && c != '\t' && c != '\n' && c != '\r';
    } else {
      in_string_ = c == '"';
    }
  }
  return piece.size();
}

}  // namespace ccr::proxy

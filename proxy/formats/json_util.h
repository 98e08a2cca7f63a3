// What the translators need of JSON beside Boost.JSON itself.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proxy/core/json/text.h"

namespace ccr::proxy {

namespace json = boost::json;

// The most values (objects, lists, texts, numbers, literals) that one translation reads: what it costs grows with them.
inline constexpr size_t kMaxJsonValues = 200'000;

// What may still be read. Not thread-safe.
class JsonBudget {
 public:
  // False when the text has more values than are left. Of what is no JSON something near its commas and brackets
  // counts.
  bool Take(std::string_view text);
  // One value.
  bool Take() { return left_ > 0 ? (--left_, true) : !(exceeded_ = true); }
  bool exceeded() const { return exceeded_; }
  // ResourceExhausted, "too large to be translated: ...", once Take() was false.
  absl::Status status() const;

 private:
  size_t left_ = kMaxJsonValues;
  bool exceeded_ = false;
};

// Reads one JSON text of at most kMaxJsonDepth (json_scan.h) levels and kMaxJsonValues values; numbers to the nearest
// double where they are no 64-bit integers. Lone surrogates, which JavaScript writes when it cuts a string, become
// U+FFFD; bytes that are not UTF-8 stay as they are in the tree. InvalidArgument, with the parser's reason, when it is
// no JSON; ResourceExhausted, as JsonBudget has it, when it is too much.
absl::StatusOr<json::value> ParseJson(std::string_view text, const json::storage_ptr& storage = {});

// Appends the value without spaces; bytes that are not UTF-8 become U+FFFD. Fractions have the shortest text that reads
// back as the same number ("0.7").
void AppendJson(const json::value& value, std::string* out);
void AppendJson(const json::object& value, std::string* out);
void AppendJson(const json::array& value, std::string* out);
std::string ToJson(const json::value& value);

std::string_view View(const json::string& text);

// The longest beginning of `text` within `limit` bytes that cuts no character; bytes that are not UTF-8 become U+FFFD.
std::string Utf8Prefix(std::string_view text, size_t limit);

// Members by name. A member that is absent, null or of another type is "none": nullptr, an empty text, 0, false.
const json::value* Find(const json::object& object, std::string_view key);
json::value* Find(json::object& object, std::string_view key);
const json::object* FindObject(const json::object& object, std::string_view key);
json::object* FindObject(json::object& object, std::string_view key);
const json::array* FindArray(const json::object& object, std::string_view key);
json::array* FindArray(json::object& object, std::string_view key);
std::string_view FindText(const json::object& object, std::string_view key);
bool FindBool(const json::object& object, std::string_view key);
// Integers and integral fractions; negative ones count as 0, and none is above 2^53 - 1, the last that JavaScript
// holds.
uint64_t FindUint(const json::object& object, std::string_view key);

// Reads the pieces of one JSON object or array and knows when it is closed. Looks at brackets and strings only.
class JsonEndFinder {
 public:
  // Returns how many bytes belong to the value: all of them while it is open, 0 when it was closed before.
  size_t Feed(std::string_view piece);
  bool closed() const { return closed_; }

 private:
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool scalar_ = false;  // neither object nor array: its end cannot be told
  bool closed_ = false;
};

}  // namespace ccr::proxy

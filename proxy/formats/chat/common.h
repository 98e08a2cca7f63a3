// What readers and writers of this folder have in common.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "proxy/formats/conversation/request.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy::chat {

// In `own` of a message or a result: its content was a list of parts. Its value is an empty list.
inline constexpr std::string_view kContent = "content";
// In `own` of a call, a tool or the request: the form of before tools.
inline constexpr std::string_view kFunctionCall = "function_call";
inline constexpr std::string_view kFunctions = "functions";
inline constexpr std::string_view kWebSearchOptions = "web_search_options";

// Takes a JSON value with the memory it lies in: assignment would copy it.
template <typename Json>
void Adopt(Json from, Json* to) {
  std::destroy_at(to);
  std::construct_at(to, std::move(from));
}

// Moves a member out; null where there is none.
json::value Take(json::object* from, std::string_view key);
// The same for a text; empty, and the member stays, where it is none.
std::string TakeText(json::object* from, std::string_view key);
// The same where an empty text stays too, since nothing is written for none.
std::string TakeWords(json::object* from, std::string_view key);

// An id, which may be a number.
std::string IdOf(const json::object& holder, std::string_view key);

// Appends the members of one JSON object.
class ObjectWriter {
 public:
  // `keys`, which may be null, takes the names of what is written.
  explicit ObjectWriter(std::string* out, absl::flat_hash_set<std::string>* keys = nullptr) : out_(out), keys_(keys) {
    *out_ += '{';
  }
  ObjectWriter(const ObjectWriter&) = delete;
  ObjectWriter& operator=(const ObjectWriter&) = delete;
  ~ObjectWriter() { *out_ += '}'; }

  // Begins a member whose value is appended next to what it returns.
  std::string* Key(std::string_view key);
  void Text(std::string_view key, std::string_view text) { AppendJsonString(text, Key(key)); }
  void Json(std::string_view key, const json::value& value) { AppendJson(value, Key(key)); }
  void Number(std::string_view key, double number) { AppendJson(json::value(number), Key(key)); }
  void Integer(std::string_view key, int64_t number) { *Key(key) += std::to_string(number); }
  void Bool(std::string_view key, bool value) { *Key(key) += value ? "true" : "false"; }
  // All members of another object, which may be null.
  void Members(const json::object* members);

 private:
  std::string* const out_;
  absl::flat_hash_set<std::string>* const keys_;
  bool first_ = true;
};

// Appends `,` between the elements of a list.
class ListWriter {
 public:
  explicit ListWriter(std::string* out) : out_(out) { *out_ += '['; }
  ListWriter(const ListWriter&) = delete;
  ListWriter& operator=(const ListWriter&) = delete;
  ~ListWriter() { *out_ += ']'; }

  // Begins an element.
  std::string* Next() {
    if (!first_) *out_ += ',';
    first_ = false;
    return out_;
  }

 private:
  std::string* const out_;
  bool first_ = true;
};

}  // namespace ccr::proxy::chat

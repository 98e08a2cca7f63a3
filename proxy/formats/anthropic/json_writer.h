// JSON written straight into a text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/formats/json_util.h"

namespace ccr::proxy::anthropic {

// The members of one object. `out` must outlive it; End() closes the object. Names are written as they are.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string* out) : out_(*out) { out_ += '{'; }

  // What is appended next is the member's value.
  std::string* Key(std::string_view name) {
    out_.append(any_ ? ",\"" : "\"").append(name).append("\":");
    any_ = true;
    return &out_;
  }
  void Text(std::string_view name, std::string_view text) { AppendJsonString(text, Key(name)); }
  void Number(std::string_view name, uint64_t number) { Key(name)->append(std::to_string(number)); }
  void Bool(std::string_view name, bool value) { Key(name)->append(value ? "true" : "false"); }
  template <typename Json>
  void Value(std::string_view name, const Json& value) {
    AppendJson(value, Key(name));
  }
  // All members of an object.
  void Members(const json::object& members) {
    for (const json::key_value_pair& member : members) Member(member);
  }
  void Member(const json::key_value_pair& member) {
    if (any_) out_ += ',';
    any_ = true;
    AppendJsonString({member.key().data(), member.key().size()}, &out_);
    out_ += ':';
    AppendJson(member.value(), &out_);
  }
  void End() { out_ += '}'; }

 private:
  std::string& out_;
  bool any_ = false;
};

// The elements of one list, which begins and ends elsewhere.
class ListWriter {
 public:
  explicit ListWriter(std::string* out) : out_(out) {}

  // What is appended next is the next element.
  std::string* Next() {
    if (count_++ > 0) *out_ += ',';
    return out_;
  }
  size_t count() const { return count_; }

 private:
  std::string* out_;
  size_t count_ = 0;
};

}  // namespace ccr::proxy::anthropic

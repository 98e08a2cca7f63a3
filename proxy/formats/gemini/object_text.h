// JSON written straight into a text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/formats/json_util.h"

namespace ccr::proxy::gemini {

// The members of one object, in the order of the calls. What Name() answers takes exactly one value.
class ObjectText {
 public:
  explicit ObjectText(std::string* out) : out_(out) { *out_ += '{'; }

  // `name` is one of ours: nothing in it has to be escaped.
  std::string* Name(std::string_view name) {
    if (!first_) *out_ += ',';
    first_ = false;
    out_->append("\"").append(name).append("\":");
    return out_;
  }
  void Text(std::string_view name, std::string_view text) { AppendJsonString(text, Name(name)); }
  void Flag(std::string_view name, bool flag) { Name(name)->append(flag ? "true" : "false"); }
  void Json(std::string_view name, const json::value& value) { AppendJson(value, Name(name)); }
  void Count(std::string_view name, uint64_t count) { Name(name)->append(std::to_string(count)); }
  // A member of the client's.
  void Member(const json::key_value_pair& member) {
    if (!first_) *out_ += ',';
    first_ = false;
    AppendJsonString({member.key().data(), member.key().size()}, out_);
    *out_ += ':';
    AppendJson(member.value(), out_);
  }
  void Members(const json::object& members) {
    for (const json::key_value_pair& member : members) Member(member);
  }
  bool empty() const { return first_; }
  void Close() { *out_ += '}'; }

 private:
  std::string* const out_;
  bool first_ = true;
};

}  // namespace ccr::proxy::gemini

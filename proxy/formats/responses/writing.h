// Pieces of JSON that requests and answers of this format have in common.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "proxy/formats/conversation/request.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy::responses {

// ,"name":"text"
void AppendMember(std::string_view name, std::string_view text, std::string* out);

// The members that are not called as one of `skipped`, each behind a comma.
void AppendOthers(const json::object& members, std::initializer_list<std::string_view> skipped, std::string* out);

// What some providers behind this format read, as clients write it: a member behind a comma, nothing for null.
void AppendCacheMark(const json::value& mark, std::string* out);

// Appends elements with a comma between two.
class JsonList {
 public:
  explicit JsonList(std::string* out) : out_(out) { *out_ += '['; }
  std::string* Next() {
    if (!first_) *out_ += ',';
    first_ = false;
    return out_;
  }
  void Close() { *out_ += ']'; }
  bool empty() const { return first_; }

 private:
  std::string* const out_;
  bool first_ = true;
};

// The state of kResponsesReasoning as members of a reasoning item, each behind a comma: id, content,
// encrypted_content. False when it is no such state; nothing is appended then.
// `raw`: it holds the content, which the part's text then is.
bool AppendReasoningState(std::string_view state, std::string* out, bool* raw);

// The id that a reasoning item's state was made for; empty where it says none.
std::string ReasoningId(std::string_view state);

}  // namespace ccr::proxy::responses

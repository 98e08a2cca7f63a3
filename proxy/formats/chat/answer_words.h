// What clients of Chat Completions get: the parts that whole answers and streams share.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "proxy/formats/conversation/format.h"

namespace ccr::proxy::chat {

// `called` says whether the answer holds calls, `refused` whether it holds a refusal in the model's own words: such an
// answer is whole, and clients take "content_filter" for one that was cut.
std::string_view FinishReason(StopCause cause, bool called, bool refused);

// Appends the usage object.
void AppendUsage(const Usage& usage, std::string* out);

// {"type":"image_url",...}, for the list of "images"; empty where it is none of a picture.
std::string ImageElement(const Media& media);

// The client's ids of one answer's calls, each once, with the states that have no other place.
class CallIds {
 public:
  std::string Next(std::string_view id, const OpaqueStates& states);
  size_t given() const { return given_; }

 private:
  size_t given_ = 0;
  absl::flat_hash_set<std::string> used_;
};

// Whether the client knows it as a custom tool.
bool IsCustomCall(const AnswerContext& context, std::string_view name, bool custom);

// The "extra_content" of a call as JSON; empty where it has none.
std::string ExtraContent(const OpaqueStates& states);

}  // namespace ccr::proxy::chat

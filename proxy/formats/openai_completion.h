// Writes one complete answer in OpenAI's shape.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ccr::proxy {

// Fill it, then write it.
class OpenAiCompletion {
 public:
  std::string text;
  std::string refusal;    // null where it is empty
  std::string reasoning;  // left out where it is empty

  void AddCall(std::string_view id, std::string_view name, std::string_view arguments);
  bool has_calls() const { return !calls_.empty(); }

  // `created` in seconds since the Unix epoch; `usage` is a JSON object.
  std::string Write(std::string_view id, std::string_view model, int64_t created, std::string_view finish_reason,
                    std::string_view usage) const;

 private:
  void AppendMessage(std::string* out) const;

  std::string calls_;  // elements of a JSON array
};

}  // namespace ccr::proxy

// What routing needs to know of a JSON request body, found in one pass without building a tree.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ccr::proxy {

struct BodyScan {
  bool valid = false;
  std::string error;  // what is wrong, with the byte offset; set when not valid
  // The value of the top level's "model" when it is a string, escapes resolved. The last one of duplicates counts.
  std::optional<std::string> model;
  // Byte range of the value of "model" in the body, a string's quotes included, whatever its type. Without a "model"
  // both are the offset right behind the opening brace: where one could be put.
  size_t model_begin = 0;
  size_t model_end = 0;
  bool stream = false;  // "stream": true
  // The session in "metadata"."user_id": the text behind "_session_", or the "session_id" of an object or of an object
  // in a string; else "prompt_cache_key", by which OpenAI's clients name their conversation. At most 256 bytes; longer
  // ones are left out.
  std::string session;
};

// Deepest nesting accepted.
inline constexpr size_t kMaxJsonDepth = 512;

// Checks the whole body against the grammar of RFC 8259 (all of it but UTF-8 and paired surrogates, which pass as they
// are) and picks out the members above, in any order, however written. The top level must be an object.
BodyScan ScanBody(std::string_view body);

}  // namespace ccr::proxy

// Whether the body of a 2xx is none.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ccr::proxy {

struct NoAnswer {
  std::string error;  // the body that the same error has with a status of its own; empty when nothing was said
  std::string why;    // what came in place of an answer, of such
};

// The error that one JSON object, or the first of an array, is in place of an answer:
//   - an "error" that is an object or a text, wherever it stands, or true
//   - "type" or "object" is "error"
//   - an envelope with a code of failure: {"base_resp": {"status_code": 1008}}, {"code": 1000, "success": false},
//     {"code": 30001, "message": ".."}, {"error_code": 17, "error_msg": ".."}
//   - the "error" of a choice
// but not when the object holds an answer as well: what is generated, embedded or listed. An "error" without anything in
// it is none. The error has an "error", or is the envelope as it came.
std::optional<std::string> FindErrorObject(std::string_view document);

// Of a whole body of an endpoint that answers with a JSON object: the error that it is, nothing at all, markup, or the
// beginning of an object. `promised` is a member that every good answer has ("choices", "content", "candidates", "data";
// empty: not known): without it the body is no answer, nor with an empty list of choices or candidates. Exempt are a
// prompt that was blocked, and a {"request_id": ..} to ask with later. Cheap for answers: only what has a word of failure
// is parsed, and nothing above 64 KiB.
std::optional<NoAnswer> FindNoAnswer(std::string_view body, std::string_view promised);

// Whether a JSON object has choices, and none in it, as what some streams begin and end with.
bool HasEmptyChoices(std::string_view document);

// Whether `text` begins as HTML and XML do, and neither JSON nor an event stream.
bool IsMarkup(std::string_view text);

}  // namespace ccr::proxy

// StreamOpening in pieces of any size: the same, and an error it finds is a JSON object.
#include <boost/json.hpp>
#include <string>

#include "proxy/core/evidence/no_answer.h"
#include "proxy/core/evidence/stream_opening.h"
#include "tests/fuzz/fuzz.h"

namespace ccr::fuzz {
namespace {

namespace json = boost::json;
using proxy::StreamOpening;

struct Reading {
  StreamOpening::Kind kind;
  std::string error;
  bool operator==(const Reading& other) const { return kind == other.kind && error == other.error; }
};

Reading Read(std::string_view text, size_t step) {
  StreamOpening opening;
  InPieces(text, step, [&](std::string_view piece) {
    const StreamOpening::Kind before = opening.kind();
    const StreamOpening::Kind after = opening.Feed(piece);
    Require(before == StreamOpening::Kind::kUndecided || before == after, "what was decided changes");
  });
  const StreamOpening::Kind end = opening.Finish();
  return {end, opening.error()};
}

void RequireError(const std::string& body) {
  boost::system::error_code ignored;
  const json::value value = json::parse(body, ignored);
  Require(!ignored && value.is_object(), "the error's body is no object");
}

}  // namespace
}  // namespace ccr::fuzz

// The choice is the size of the pieces.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ccr::fuzz;
  const Input input(data, size);
  const Reading whole = Read(input.text, input.text.size() + 1);
  Require(whole == Read(input.text, input.choice % 16 + 1U), "pieces make a difference");
  Require(whole == Read(input.text, 1), "single bytes make a difference");
  if (whole.kind == StreamOpening::Kind::kError) RequireError(whole.error);
  if (const auto error = ccr::proxy::FindErrorObject(input.text)) RequireError(*error);
  return 0;
}

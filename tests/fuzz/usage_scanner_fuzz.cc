// UsageScanner: the cuts of a body make no difference.
#include "proxy/core/evidence/usage_scanner.h"
#include "tests/fuzz/fuzz.h"

namespace {

using ccr::proxy::UsageScanner;

bool Same(const UsageScanner& a, const UsageScanner& b) {
  return a.input_tokens() == b.input_tokens() && a.total_input_tokens() == b.total_input_tokens() &&
         a.output_tokens() == b.output_tokens() && a.ended() == b.ended() && a.error() == b.error() &&
         a.incomplete() == b.incomplete();
}

}  // namespace

// The choice is the kind of body and the size of the pieces.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ccr::fuzz;
  const Input input(data, size);
  const auto kind = input.choice % 2 == 0 ? UsageScanner::Body::kJson : UsageScanner::Body::kEventStream;
  UsageScanner whole(kind), pieces(kind), bytes(kind);
  whole.Feed(input.text);
  InPieces(input.text, input.choice / 2 + 1U, [&](std::string_view piece) { pieces.Feed(piece); });
  InPieces(input.text, 1, [&](std::string_view piece) { bytes.Feed(piece); });
  Require(Same(whole, pieces) && Same(whole, bytes), "pieces make a difference");
  return 0;
}

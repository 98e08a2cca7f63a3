// UsageScanner: the cuts of a body make no difference. By hand, from the top of the checkout:
//   clang++ -g -O1 -std=c++20 -I. -fsanitize=fuzzer,address,undefined -fuse-ld=lld tests/fuzz/usage_scanner_fuzz.cc
//     proxy/core/usage_scanner.cc -o /tmp/usage_scanner_fuzz
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "proxy/core/usage_scanner.h"

namespace {

using ccr::proxy::UsageScanner;

bool Same(const UsageScanner& a, const UsageScanner& b) {
  return a.input_tokens() == b.input_tokens() && a.total_input_tokens() == b.total_input_tokens() &&
         a.output_tokens() == b.output_tokens() && a.ended() == b.ended() && a.error() == b.error() &&
         a.incomplete() == b.incomplete();
}

// A copy on the heap, so that a read beyond a piece is seen.
void FeedCopy(std::string_view piece, UsageScanner* scanner) {
  const std::vector<char> copy(piece.begin(), piece.end());
  scanner->Feed({copy.data(), copy.size()});
}

}  // namespace

// The first byte chooses the kind of body and the size of the pieces.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto kind = data[0] % 2 == 0 ? UsageScanner::Body::kJson : UsageScanner::Body::kEventStream;
  const size_t step = data[0] / 2 + 1U;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);

  UsageScanner whole(kind), pieces(kind), bytes(kind);
  FeedCopy(text, &whole);
  for (size_t at = 0; at < text.size(); at += step) FeedCopy(text.substr(at, step), &pieces);
  for (size_t at = 0; at < text.size(); ++at) FeedCopy(text.substr(at, 1), &bytes);
  if (!Same(whole, pieces) || !Same(whole, bytes)) std::abort();
  return 0;
}

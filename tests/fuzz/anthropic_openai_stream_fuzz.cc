// OpenAI's chunks to Anthropic's events: whatever comes in, in whatever pieces, a valid sequence goes out.
#include <memory>
#include <string>

#include "tests/fuzz/stream_fuzz.h"
#include "tests/proxy/formats/pairs.h"
#include "tests/proxy/formats/validators.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ccr;
  const fuzz::Input input(data, size);
  const std::string out = fuzz::StreamInPieces(*proxy::MakeAnthropicToOpenAi(), input);
  proxy::AnthropicAnswer answer;
  const std::string broken = proxy::CheckAnthropicStream(out, &answer);
  fuzz::Require(broken.empty(), broken);
  return 0;
}

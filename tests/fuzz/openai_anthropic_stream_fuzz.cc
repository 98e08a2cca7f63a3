// Anthropic's events to OpenAI's chunks: whatever comes in, in whatever pieces, a valid sequence goes out.
#include <string>

#include "tests/fuzz/stream_fuzz.h"
#include "tests/proxy/formats/openai_validators.h"
#include "tests/proxy/formats/pairs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ccr;
  const fuzz::Input input(data, size);
  const std::string out = fuzz::StreamInPieces(*proxy::MakeOpenAiToAnthropic(), input);
  const auto answer = proxy::ReadOpenAiChunks(out, fuzz::IncludesUsage(input));
  // Arguments are passed on as they come.
  const bool valid = answer.ok() || answer.status().message().substr(0, 9) == "arguments";
  fuzz::Require(valid, answer.status().ToString());
  return 0;
}

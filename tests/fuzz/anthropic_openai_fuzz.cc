// Whole bodies between Anthropic's clients and OpenAI's upstreams: what is valid becomes valid, and no answer of an
// upstream becomes an invalid one.
#include <string>

#include "tests/fuzz/fuzz.h"
#include "tests/proxy/formats/openai_validators.h"
#include "tests/proxy/formats/pairs.h"
#include "tests/proxy/formats/validators.h"

namespace ccr::fuzz {
namespace {

void CheckRequest(const proxy::Translation& translation, std::string_view body) {
  proxy::Notes notes;
  const auto request = translation.Request(body, "m", &notes);
  if (!proxy::CheckAnthropicRequest(body).ok()) return;
  Require(request.ok(), "a valid request is refused");
  const std::string broken = proxy::CheckOpenAiRequest(request->body);
  Require(broken.empty(), broken);
}

void CheckResponse(const proxy::Translation& translation, std::string_view body) {
  proxy::Notes notes;
  const auto response = translation.Response(body, &notes);
  if (!response.ok()) return Require(!response.status().message().empty(), "no reason");
  proxy::AnthropicAnswer answer;
  const std::string broken = proxy::CheckAnthropicMessage(*response, &answer);
  Require(broken.empty(), broken);
}

}  // namespace
}  // namespace ccr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ccr;
  const fuzz::Input input(data, size);
  fuzz::CheckRequest(*proxy::MakeAnthropicToOpenAi(), input.text);
  const auto translation = proxy::MakeAnthropicToOpenAi({.keep_reasoning = true, .keep_cache_control = true});
  proxy::Notes notes;
  const auto kept = translation->Request(input.text, "m", &notes);
  fuzz::CheckResponse(*translation, input.text);
  proxy::AnthropicAnswer answer;
  const std::string error = translation->Error(400 + input.choice, input.text);
  const std::string broken = proxy::CheckAnthropicStream("event: error\ndata: " + error + "\n\n", &answer);
  fuzz::Require(broken.empty(), broken);
  return 0;
}

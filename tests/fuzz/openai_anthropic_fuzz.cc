// Whole bodies between OpenAI's clients and Anthropic's upstreams: no request that is accepted becomes an invalid one,
// and neither does an answer.
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
  if (!request.ok()) return Require(!proxy::CheckOpenAiRequest(body).empty(), "a valid request is refused");
  const absl::Status status = proxy::CheckAnthropicRequest(request->body);
  Require(status.ok(), status.ToString() + "\n" + request->body);
}

void CheckResponse(const proxy::Translation& translation, std::string_view body) {
  proxy::Notes notes;
  const auto response = translation.Response(body, &notes);
  if (!response.ok()) return Require(!response.status().message().empty(), "no reason");
  const absl::Status status = proxy::CheckOpenAiCompletion(*response);
  Require(status.ok(), status.ToString() + "\n" + *response);
}

}  // namespace
}  // namespace ccr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ccr;
  const fuzz::Input input(data, size);
  const auto translation = proxy::MakeOpenAiToAnthropic();
  fuzz::CheckRequest(*translation, input.text);
  fuzz::CheckResponse(*translation, input.text);
  const std::string error = translation->Error(400 + input.choice, input.text);
  const auto answer = proxy::ReadOpenAiChunks("data: " + error + "\n\n", false);
  fuzz::Require(answer.ok() && !answer->error.empty(), error);
  return 0;
}

// Gemini's translators: a stream in any bytes and cuts, a request in any JSON. By hand, from the top of the checkout:
//   clang++ -g -O1 -std=c++20 -I. -fsanitize=fuzzer,address,undefined -fuse-ld=lld tests/fuzz/gemini_fuzz.cc
//     tests/proxy/formats/{gemini_validators,openai_validators,validators}.cc proxy/formats/*.cc
//     proxy/core/{error_body,json_scan,json_text}.cc -o /tmp/gemini_fuzz -lboost_json
//     $(pkg-config --libs absl_flat_hash_set absl_status absl_statusor absl_strings)
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/formats/json_util.h"
#include "tests/proxy/formats/gemini_validators.h"
#include "tests/proxy/formats/openai_validators.h"
#include "tests/proxy/formats/pairs.h"
#include "tests/proxy/formats/validators.h"

namespace ccr::proxy {
namespace {

void Require(bool holds, const std::string& what) {
  if (holds) return;
  std::fputs(what.c_str(), stderr);
  std::abort();
}

std::string Stream(const Translation& translation, std::string_view bytes, size_t step, bool cut, bool* failed) {
  const auto stream = translation.Stream("shown", {.include_usage = true});
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += step) stream->Feed(bytes.substr(at, step), &out);
  stream->Finish(cut, &out);
  *failed = stream->failed();
  return out;
}

void CheckStreams(std::string_view bytes, size_t step, bool cut) {
  static const auto& openai = *MakeOpenAiToGemini().release();
  static const auto& anthropic = *MakeAnthropicToGemini().release();
  bool failed = false;
  bool failed_whole = false;
  const std::string chunks = Stream(openai, bytes, step, cut, &failed);
  Require(chunks == Stream(openai, bytes, std::max<size_t>(bytes.size(), 1), cut, &failed_whole), "the cuts matter");
  const auto answer = ReadOpenAiChunks(chunks, true);
  Require(answer.ok() && failed == !answer->done, chunks);
  AnthropicAnswer message;
  const std::string problem = CheckAnthropicStream(Stream(anthropic, bytes, step, cut, &failed), &message);
  Require(problem.empty() && failed == !message.error.empty(), problem);
}

void CheckRequest(std::string_view body) {
  static const auto& openai = *MakeOpenAiToGemini().release();
  static const auto& anthropic = *MakeAnthropicToGemini().release();
  for (const std::string_view model : {"gemini-2.5-flash", "gemini-3-pro"}) {
    for (const Translation* translation : {&openai, &anthropic}) {
      Notes notes;
      const auto request = translation->Request(body, model, &notes);
      if (!request.ok()) continue;
      const std::string problem = CheckGeminiRequest(request->body);
      Require(problem.empty(), problem);
    }
  }
}

}  // namespace
}  // namespace ccr::proxy

// The first byte chooses: a request; or a stream, the size of its pieces, and whether it was cut.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] % 2 == 0) {
    ccr::proxy::CheckRequest(text);
  } else {
    ccr::proxy::CheckStreams(text, data[0] / 4 + 1U, data[0] % 4 == 3);
  }
  return 0;
}

// What a translation costs. By hand, from the top of the checkout:
//   cmake --preset debug -B build/bench -DCMAKE_BUILD_TYPE=Release && cmake --build build/bench --target proxy_formats
//   g++ -O2 -std=c++20 -I. tests/bench/formats_bench.cc -o build/bench/formats_bench build/bench/proxy/formats/libproxy_formats.a
//     build/bench/proxy/core/libproxy_core.a build/bench/broker/base/libccr_base.a -lbenchmark -lboost_json -lz -lsodium -lspdlog -lfmt
//     $(pkg-config --libs absl_status absl_statusor absl_strings absl_time absl_flat_hash_set absl_flat_hash_map)
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <utility>

#include "tests/proxy/formats/pairs.h"

namespace ccr::proxy {
namespace {

std::string Prose(size_t bytes) {
  const std::string line = "Use this when you must \\\"read\\\" a file — not to search, that is what others do.\\n";
  std::string text;
  while (text.size() < bytes) text += line;
  return text;
}

std::string Tool(int i) {
  std::string tool = R"({"name":"Tool)" + std::to_string(i) + R"(","description":")" + Prose(1600);
  tool += R"(","input_schema":{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{)";
  for (int p = 0; p < 5; ++p) {
    tool += (p > 0 ? ",\"p" : "\"p") + std::to_string(p) + R"(":{"type":"string","description":")" + Prose(100) + "\"}";
  }
  return tool + R"(},"required":["p0"],"additionalProperties":false}})";
}

// What Claude Code sends some turns into a session: 76 KB, most of it tools and system prompt.
std::string ClaudeCodeRequest() {
  std::string body = R"({"model":"claude-x","max_tokens":32000,"stream":true,"thinking":{"type":"adaptive"},)"
                     R"("metadata":{"user_id":"user_a_account_b_session_c"},"system":[{"type":"text","text":")" +
                     Prose(14000) + R"(","cache_control":{"type":"ephemeral"}}],"tools":[)";
  for (int i = 0; i < 16; ++i) body += (i > 0 ? "," : "") + Tool(i);
  body += R"(],"messages":[{"role":"user","content":[{"type":"text","text":")" + Prose(2000) + R"("}]})";
  for (int i = 0; body.size() < 76 * 1024; ++i) {
    const std::string id = "toolu_" + std::to_string(i);
    body += R"(,{"role":"assistant","content":[{"type":"text","text":"Let me look."},{"type":"tool_use","id":")" + id;
    body += R"(","name":"Tool1","input":{"p0":"/home/user/project/file.cc","limit":200}}]},)";
    body +=
        R"({"role":"user","content":[{"type":"tool_result","tool_use_id":")" + id + R"(","content":")" + Prose(1500);
    body += R"("}]})";
  }
  return body + "]}";
}

// The same request as a client of another format sends it.
std::string RequestOf(Format client) {
  if (client == Format::kAnthropic) return ClaudeCodeRequest();
  return MakePair(Format::kAnthropic, client, RulesOf({}))->Request(ClaudeCodeRequest(), "claude-x", nullptr)->body;
}

void Request(benchmark::State& state, Format client, Format provider) {
  const auto translation = MakePair(client, provider, RulesOf({}));
  const std::string body = RequestOf(client);
  for (auto _ : state) {
    Notes notes;
    benchmark::DoNotOptimize(translation->Request(body, "some-model", &notes));
  }
  state.counters["KB"] = static_cast<double>(body.size()) / 1024;
}

const int kRegistered = [] {
  const std::pair<Format, const char*> formats[] = {{Format::kAnthropic, "anthropic"},
                                                    {Format::kChat, "chat"},
                                                    {Format::kResponses, "responses"},
                                                    {Format::kGemini, "gemini"}};
  for (const auto& [client, from] : formats) {
    for (const auto& [provider, to] : formats) {
      if (client == provider) continue;
      benchmark::RegisterBenchmark((std::string("Request/") + from + "/" + to).c_str(), Request, client, provider)
          ->Unit(benchmark::kMicrosecond);
    }
  }
  return 0;
}();

void Feed(benchmark::State& state, const Translation& translation, const std::string& chunk) {
  const auto stream = translation.Stream("some-model", {});
  std::string out;
  for (auto _ : state) {
    out.clear();
    stream->Feed(chunk, &out);
    benchmark::DoNotOptimize(out.data());
  }
}

void StreamedDelta(benchmark::State& state, const std::string& delta) {
  Feed(state, *MakeAnthropicToOpenAi(),
       R"(data: {"id":"chatcmpl-9yBkGh0a","object":"chat.completion.chunk","created":1700000000,"model":"some-model",)"
       R"("service_tier":"default","system_fingerprint":"fp_0123456789","choices":[{"index":0,"delta":)" +
           delta + ",\"logprobs\":null,\"finish_reason\":null}]}\n\n");
}
BENCHMARK_CAPTURE(StreamedDelta, text, R"({"content":" lazy dog"})");
BENCHMARK_CAPTURE(StreamedDelta, arguments,
                  R"({"tool_calls":[{"index":0,"id":"t","function":{"name":"A","arguments":"{\"a"}}]})");

void GeminiDelta(benchmark::State& state) {
  Feed(state, *MakeAnthropicToGemini(),
       R"(data: {"candidates": [{"content": {"parts": [{"text": " lazy dog"}],"role": "model"},"index": 0}],)"
       R"("usageMetadata": {"promptTokenCount": 4711,"candidatesTokenCount": 12,"totalTokenCount": 4723,)"
       R"("promptTokensDetails": [{"modality": "TEXT","tokenCount": 4711}]},"modelVersion": "gemini-2.5-flash",)"
       "\"responseId\": \"r-0123456789\"}\r\n\r\n");
}
BENCHMARK(GeminiDelta);

}  // namespace
}  // namespace ccr::proxy

BENCHMARK_MAIN();

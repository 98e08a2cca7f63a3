// What the proxy's pure parts cost per byte and per request. By hand, from the top of the checkout:
//   g++ -O2 -std=c++20 -I. tests/bench/proxy_core_bench.cc proxy/core/*.cc -o /tmp/proxy_core_bench
//     -lbenchmark -lboost_json $(pkg-config --libs absl_status absl_statusor absl_strings absl_time
//     absl_flat_hash_set)
#include <benchmark/benchmark.h>

#include <string>

#include "proxy/core/evidence/usage_scanner.h"
#include "proxy/core/header_rules.h"
#include "proxy/core/json/scan.h"
#include "proxy/core/request_facts.h"
#include "proxy/core/router.h"

namespace ccr::proxy {
namespace {

// A conversation: text in messages, some of it code with its escapes, the model last.
std::string Conversation(size_t bytes) {
  const std::string prose = "The quick brown fox jumps over the lazy dog, again and again and again. ";
  const std::string code = "  for (int i = 0; i < n; ++i) {\\n    total += \\\"x\\\";\\n  }\\n";
  std::string body = R"({"stream":true,"metadata":{"user_id":"user_a_account__session_1234"},"messages":[)";
  for (int i = 0; body.size() < bytes; ++i) {
    body += (i > 0 ? R"(,{"role":"user","content":[{"type":"text","text":")"
                   : R"({"role":"user","content":[{"type":"text","text":")");
    for (int j = 0; j < 20; ++j) body += (i % 3 == 0 ? code : prose);
    body += R"("}]})";
  }
  return body + R"(],"model":"provider,some-model"})";
}

// One image in base64: a single long string.
std::string Image(size_t bytes) {
  return R"({"messages":[{"source":{"data":")" + std::string(bytes, 'A') + R"("}}],"model":"provider,some-model"})";
}

void ScanConversation(benchmark::State& state) {
  const std::string body = Conversation(static_cast<size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(ScanBody(body));
  state.SetBytesProcessed(static_cast<int64_t>(body.size()) * static_cast<int64_t>(state.iterations()));
}
BENCHMARK(ScanConversation)->Arg(300)->Arg(64 << 10)->Arg(4 << 20);

void ScanImage(benchmark::State& state) {
  const std::string body = Image(static_cast<size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(ScanBody(body));
  state.SetBytesProcessed(static_cast<int64_t>(body.size()) * static_cast<int64_t>(state.iterations()));
}
BENCHMARK(ScanImage)->Arg(4 << 20);

// The facts of a request, with its tokens counted or not.
void Facts(benchmark::State& state, bool count_tokens) {
  const std::string body = Conversation(static_cast<size_t>(state.range(0)));
  const BodyScan scan = ScanBody(body);
  for (auto _ : state) benchmark::DoNotOptimize(ReadFacts(body, scan, count_tokens));
  state.SetBytesProcessed(static_cast<int64_t>(body.size()) * static_cast<int64_t>(state.iterations()));
}
BENCHMARK_CAPTURE(Facts, counted, true)->Arg(80 << 10)->Arg(10 << 20);
BENCHMARK_CAPTURE(Facts, uncounted, false)->Arg(80 << 10)->Arg(10 << 20);

void RouteAndSplice(benchmark::State& state) {
  RoutingTable table;
  table.providers.resize(4);
  for (int i = 0; i < 4; ++i) table.providers[i].name = "provider" + std::string(static_cast<size_t>(3 - i), 'x');
  const std::string body = Conversation(300);
  const BodyScan scan = ScanBody(body);
  std::string storage;
  for (auto _ : state) {
    const auto route = PickRoute(table, Format::kChat, *scan.model, RequestFacts(), 0);
    benchmark::DoNotOptimize(SpliceModel(body, scan, route->model, &storage));
  }
}
BENCHMARK(RouteAndSplice);

// A stream in reads of `range` bytes.
void ScanStream(benchmark::State& state) {
  const std::string chunk =
      R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,)"
      R"("delta":{"content":" word"},"logprobs":null,"finish_reason":null}],"usage":null})"
      "\n\n";
  std::string text;
  while (text.size() < (1 << 20)) text += chunk;
  const auto read = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    UsageScanner scanner(UsageScanner::Body::kEventStream);
    for (size_t at = 0; at < text.size(); at += read) scanner.Feed(std::string_view(text).substr(at, read));
    benchmark::DoNotOptimize(scanner.ended());
  }
  state.SetBytesProcessed(static_cast<int64_t>(text.size()) * static_cast<int64_t>(state.iterations()));
}
BENCHMARK(ScanStream)->Arg(200)->Arg(16 << 10);

void ScanJsonAnswer(benchmark::State& state) {
  const std::string text = Conversation(static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    UsageScanner scanner(UsageScanner::Body::kJson);
    scanner.Feed(text);
    benchmark::DoNotOptimize(scanner.input_tokens());
  }
  state.SetBytesProcessed(static_cast<int64_t>(text.size()) * static_cast<int64_t>(state.iterations()));
}
BENCHMARK(ScanJsonAnswer)->Arg(1000)->Arg(1 << 20);

void HeaderRules(benchmark::State& state) {
  const char* const names[] = {"host",      "accept",     "content-type",   "anthropic-version", "x-stainless-lang",
                               "x-api-key", "user-agent", "content-length", "accept-encoding",   "connection"};
  for (auto _ : state) {
    for (const char* name : names) benchmark::DoNotOptimize(ForwardRequestHeader(name));
  }
  state.SetItemsProcessed(10 * static_cast<int64_t>(state.iterations()));
}
BENCHMARK(HeaderRules);

}  // namespace
}  // namespace ccr::proxy

BENCHMARK_MAIN();

#include "proxy/core/evidence/stream_opening.h"

#include <gtest/gtest.h>

#include <string>

namespace ccr::proxy {
namespace {

using Kind = StreamOpening::Kind;

constexpr std::string_view kOverloaded = R"({"type":"error","error":{"type":"overloaded_error","message":"busy"}})";

struct Seen {
  Kind fed;    // by all bytes
  Kind ended;  // by the end behind them
  std::string error;
};

Seen Read(std::string_view bytes, size_t step) {
  StreamOpening opening;
  for (size_t at = 0; at < bytes.size(); at += step) opening.Feed(bytes.substr(at, step));
  const Kind fed = opening.kind();
  const Kind ended = opening.Finish();
  return {fed, ended, opening.error()};
}

// However the bytes are cut.
void Expect(const std::string& bytes, Kind fed, Kind ended, std::string_view error) {
  for (const size_t step : {size_t{1}, size_t{2}, size_t{7}, bytes.size() + 1}) {
    const Seen seen = Read(bytes, step);
    EXPECT_EQ(seen.fed, fed) << bytes << " in steps of " << step;
    EXPECT_EQ(seen.ended, ended) << bytes << " in steps of " << step;
    EXPECT_EQ(seen.error, error) << bytes << " in steps of " << step;
  }
}

TEST(StreamOpening, ResponsesAreAnnouncedFirst) {
  const std::string created = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{}}\n\n";
  Expect(created, Kind::kUndecided, Kind::kUndecided, "");
  Expect(created + "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\"}\n\n",
         Kind::kAnswer, Kind::kAnswer, "");
  Expect(created + "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"error\":" +
             R"({"code":"rate_limit_exceeded","message":"slow down"}}})" + "\n\n",
         Kind::kError, Kind::kError, R"({"error":{"code":"rate_limit_exceeded","message":"slow down"}})");
  Expect("event: response.failed\ndata: {}\n\n", Kind::kError, Kind::kError,
         R"({"error":{"message":"the provider's answer failed"}})");
}

TEST(StreamOpening, Answers) {
  for (const char* event : {
           "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n",
           "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n",
           "data: {\"choices\":[{\"delta\":{\"content\":\"an \\\"error\\\"\"}}],\"type\":\"x\"}\n\n",
           "data: {\"choices\":[{\"delta\":{\"error\":{\"code\":429}}}]}\n\n",
           "data: an \"error\" in words\n\n",
           "data: [\"error\"]\n\n",
           "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"base_resp\":{\"status_code\":0}}\n\n",
       }) {
    Expect(event, Kind::kAnswer, Kind::kAnswer, "");
    Expect(std::string(event) + "event: error\ndata: " + std::string(kOverloaded) + "\n\n", Kind::kAnswer,
           Kind::kAnswer, "");
  }
}

TEST(StreamOpening, Errors) {
  const std::string overloaded(kOverloaded);
  Expect("event: error\ndata: " + overloaded + "\n\n", Kind::kError, Kind::kError, kOverloaded);
  Expect("event:error\r\ndata:" + overloaded + "\r\n\r\n", Kind::kError, Kind::kError, kOverloaded);
  Expect("data: " + overloaded + "\n\n", Kind::kError, Kind::kError, kOverloaded);
  Expect(
      "\xEF\xBB\xBF"
      "data: " +
          overloaded + "\n\n",
      Kind::kError, Kind::kError, kOverloaded);
  const std::string openrouter = R"({"error":{"code":429,"message":"slow down"}})";
  Expect("data: " + openrouter + "\n\ndata: [DONE]\n\n", Kind::kError, Kind::kError, openrouter);
  const std::string chunk = R"({"id":"g","choices":[{"finish_reason":"error"}],"error":{"code":"server_error"}})";
  Expect("data: " + chunk + "\n\n", Kind::kError, Kind::kError, chunk);
  Expect("data: {\"error\":\ndata: \"gone\"}\n\n", Kind::kError, Kind::kError, "{\"error\":\n\"gone\"}");
  Expect("data: [{\"error\":{\"code\":503}}]\n\n", Kind::kError, Kind::kError, R"({"error":{"code":503}})");
}

TEST(StreamOpening, ErrorsBecomeBodiesWithAnErrorMember) {
  Expect("event: error\ndata: {\"code\":\"rate_limit_exceeded\",\"message\":\"m\"}\n\n", Kind::kError, Kind::kError,
         R"({"error":{"code":"rate_limit_exceeded","message":"m"}})");
  Expect("event: error\ndata: out of \"luck\"\n\n", Kind::kError, Kind::kError,
         R"({"error":{"message":"out of \"luck\""}})");
}

TEST(StreamOpening, CommentsAndPingsAreNothing) {
  const std::string nothing =
      ": OPENROUTER PROCESSING\n\n\n: x\r\n\r\nevent: ping\ndata: {\"type\": \"ping\"}\n\nretry: 10\n\nevent: "
      "ping\ndata: "
      "{}\n\ndata: {\"type\":\"ping\"}\n\ndata:\n\nevent: error\n\n";
  Expect(nothing, Kind::kUndecided, Kind::kUndecided, "");
  Expect("data: [DONE]\n\n", Kind::kUndecided, Kind::kUndecided, "");
  Expect(nothing + "data: " + std::string(kOverloaded) + "\n\n", Kind::kError, Kind::kError, kOverloaded);
  Expect(nothing + "data: {\"choices\":[{}]}\n\n", Kind::kAnswer, Kind::kAnswer, "");
}

TEST(StreamOpening, EmptyChoicesAreNothing) {
  for (const char* event : {
           "data: {\"id\":\"1\",\"error\":null,\"choices\":[]}\r\n\r\n",
           "data: {\"error\":\"\",\"choices\":[]}\n\n",
           "data: {\"error\":{},\"choices\":[]}\n\n",
           "data: {\"choices\":[],\"prompt_filter_results\":[{\"prompt_index\":0}]}\n\n",
           "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n",
           "data: {\"choices\":null}\n\n",
       }) {
    Expect(event, Kind::kUndecided, Kind::kUndecided, "");
    Expect(std::string(event) + "data: {\"choices\":[{}]}\n\n", Kind::kAnswer, Kind::kAnswer, "");
    Expect(std::string(event) + "data: " + std::string(kOverloaded) + "\n\n", Kind::kError, Kind::kError, kOverloaded);
  }
}

TEST(StreamOpening, AnEventCountsWhenItIsComplete) {
  const std::string overloaded(kOverloaded);
  Expect("data: " + overloaded, Kind::kUndecided, Kind::kError, overloaded);
  Expect("data: " + overloaded + "\n", Kind::kUndecided, Kind::kError, overloaded);
  Expect("data: {\"choices\":", Kind::kUndecided, Kind::kAnswer, "");
  Expect("", Kind::kUndecided, Kind::kUndecided, "");
}

TEST(StreamOpening, AJsonDocumentInPlaceOfEvents) {
  const std::string pretty = "{\n  \"error\": {\n    \"code\": 429,\n    \"status\": \"RESOURCE_EXHAUSTED\"\n  }\n}";
  Expect(pretty, Kind::kUndecided, Kind::kError, pretty);
  Expect(pretty + "\n", Kind::kError, Kind::kError, pretty);
  Expect("[" + pretty + "]\n", Kind::kError, Kind::kError, R"({"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}})");
  Expect(": PROCESSING\n\n" + std::string(kOverloaded), Kind::kUndecided, Kind::kError, kOverloaded);
  Expect("{\"response\":\"one\"}\n{\"response\":\"two\"}\n", Kind::kAnswer, Kind::kAnswer, "");
  Expect("[1]\n", Kind::kAnswer, Kind::kAnswer, "");
  Expect("{\"id\":\"a } \\\" ]\",\n\"choices\":[\n1]}\n", Kind::kAnswer, Kind::kAnswer, "");
  const std::string envelope = R"({"choices":null,"base_resp":{"status_code":1008,"status_msg":"no balance"}})";
  Expect(envelope + "\n", Kind::kError, Kind::kError, envelope);
  Expect("data: " + envelope + "\n\n", Kind::kError, Kind::kError, envelope);
}

}  // namespace
}  // namespace ccr::proxy

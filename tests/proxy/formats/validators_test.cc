#include "tests/proxy/formats/validators.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ccr::proxy {
namespace {

const char kStart[] =
    R"({"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"x","content":[],)"
    R"("stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}})";
const char kTextStream[] = R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})";
const char kTool[] =
    R"({"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"A","input":{}}})";
const char kTextDelta[] = R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}})";
const char kStop0[] = R"({"type":"content_block_stop","index":0})";
const char kStop1[] = R"({"type":"content_block_stop","index":1})";
const char kMessageDelta[] =
    R"({"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}})";
const char kMessageStop[] = R"({"type":"message_stop"})";
const char kError[] = R"({"type":"error","error":{"type":"api_error","message":"m"}})";
const char kPing[] = R"({"type":"ping"})";

bool IsValid(const std::vector<std::string>& events) {
  std::string stream;
  for (const std::string& event : events) {
    const size_t begin = event.find(R"("type":")") + 8;
    stream += "event: " + event.substr(begin, event.find('"', begin) - begin) + "\ndata: " + event + "\n\n";
  }
  AnthropicAnswer answer;
  return CheckAnthropicStream(stream, &answer).empty();
}

TEST(CheckAnthropicStream, AcceptsValidOrders) {
  EXPECT_TRUE(IsValid({kStart, kPing, kTextStream, kTextDelta, kStop0, kTool, kStop1, kMessageDelta, kMessageStop}));
  EXPECT_TRUE(IsValid({kStart, kMessageDelta, kMessageStop}));
  EXPECT_TRUE(IsValid({kStart, kTextStream, kError}));
  EXPECT_TRUE(IsValid({kError}));
}

TEST(CheckAnthropicStream, RefusesInvalidOnes) {
  EXPECT_FALSE(IsValid({}));
  EXPECT_FALSE(IsValid({kTextStream, kStop0, kMessageDelta, kMessageStop}));
  EXPECT_FALSE(IsValid({kStart, kStart, kMessageDelta, kMessageStop}));
  EXPECT_FALSE(IsValid({kStart, kTextDelta, kMessageDelta, kMessageStop}));
  EXPECT_FALSE(IsValid({kStart, kTextStream, kTool, kStop1, kMessageDelta, kMessageStop}));
  EXPECT_FALSE(IsValid({kStart, kTool, kStop1, kMessageDelta, kMessageStop}));
  EXPECT_FALSE(IsValid({kStart, kTextStream, kStop0, kTool, kTextDelta, kStop1, kMessageDelta, kMessageStop}));
  EXPECT_FALSE(IsValid({kStart, kTextStream, kMessageDelta, kMessageStop}));
  EXPECT_FALSE(IsValid({kStart, kTextStream, kStop0, kMessageStop}));
  EXPECT_FALSE(IsValid({kStart, kMessageDelta}));
  EXPECT_FALSE(IsValid({kStart, kMessageDelta, kMessageDelta, kMessageStop}));
  EXPECT_FALSE(IsValid({kStart, kMessageDelta, kMessageStop, kPing}));
  EXPECT_FALSE(IsValid({kStart, kError, kMessageStop}));
  EXPECT_FALSE(IsValid({kStart, R"({"type":"error","message":"m"})"}));
}

TEST(CheckOpenAiRequest, RefusesInvalidOnes) {
  const auto valid = [](std::string_view messages, std::string_view more = "") {
    return CheckOpenAiRequest(R"({"model":"m","messages":)" + std::string(messages) + std::string(more) + "}").empty();
  };
  const std::string user = R"([{"role":"user","content":"a"}])";
  const std::string call =
      R"({"role":"assistant","content":null,"tool_calls":[{"id":"t","type":"function","function":{"name":"A","arguments":"{}"}}]})";
  const std::string result = R"({"role":"tool","content":"","tool_call_id":"t"})";
  EXPECT_TRUE(valid(user));
  EXPECT_TRUE(valid("[" + call + "," + result + "]"));
  EXPECT_FALSE(valid("[]"));
  EXPECT_FALSE(valid("[" + call + "]"));
  EXPECT_FALSE(valid("[" + result + "]"));
  EXPECT_FALSE(valid("[" + call + R"(,{"role":"user","content":"a"},)" + result + "]"));
  EXPECT_FALSE(valid(R"([{"role":"assistant","content":null}])"));
  EXPECT_FALSE(valid(R"([{"role":"user","content":[]}])"));
  EXPECT_FALSE(valid(R"([{"role":"user","content":[{"type":"text","text":"a","cache_control":{}}]}])"));
  EXPECT_FALSE(valid(user, R"(,"top_k":1)"));
  EXPECT_FALSE(valid(user, R"(,"stop":["1","2","3","4","5"])"));
  EXPECT_FALSE(valid(user, R"(,"tool_choice":"auto")"));
  EXPECT_FALSE(valid(user, R"(,"stream_options":{"include_usage":true})"));
}

}  // namespace
}  // namespace ccr::proxy

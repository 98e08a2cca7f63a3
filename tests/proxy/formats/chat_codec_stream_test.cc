// Streams of Chat Completions, whole and byte by byte: what vendors send, and what clients get.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "proxy/formats/chat/codec.h"
#include "proxy/formats/json_util.h"
#include "tests/proxy/formats/openai_validators.h"

namespace ccr::proxy::chat {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::SizeIs;
using testing::StartsWith;

// Writes down what it is told, deltas of a part joined: "start(c,m) 0:thinking<hm> 1:call(f,id)<{}>. usage(1/2) end(3)".
// A full stop stands where a part ends.
class Script final : public AnswerSink {
 public:
  void Start(std::string_view id, std::string_view model) override {
    Say("start(" + std::string(id) + "," + std::string(model) + ")");
  }
  void StartPart(size_t part, const PartHead& head) override {
    EXPECT_EQ(part, parts_.size());
    std::string kind = head.kind == PartKind::kText       ? "text"
                       : head.kind == PartKind::kThinking ? "thinking"
                       : head.kind == PartKind::kRefusal  ? "refusal"
                                                          : "call";
    if (head.kind == PartKind::kToolCall) {
      EXPECT_FALSE(head.id.empty() || head.name.empty());
      kind += "(" + std::string(head.name) + "," + std::string(head.id) + (head.custom ? ",custom)" : ")");
    }
    parts_.push_back({kind, "", false});
  }
  void Delta(size_t part, std::string_view text) override {
    ASSERT_LT(part, parts_.size());
    EXPECT_FALSE(parts_[part].ended);
    parts_[part].text += text;
    last_delta_ = text;
  }
  void AddState(size_t part, const OpaqueState& state) override {
    ASSERT_LT(part, parts_.size());
    parts_[part].text += "!" + state.data + "!";
  }
  void EndPart(size_t part) override {
    ASSERT_LT(part, parts_.size());
    EXPECT_FALSE(parts_[part].ended);
    parts_[part].ended = true;
  }
  void WholePart(size_t part, Part whole) override {
    EXPECT_EQ(part, parts_.size());
    parts_.push_back({"media(" + whole.media.type + ")", whole.media.data, true});
  }
  void SetUsage(const Usage& usage) override {
    usage_ = " usage(" + std::to_string(usage.input) + "/" + std::to_string(usage.output) + ")";
  }
  void End(const Stop& stop) override {
    static const char* const kCauses[] = {"unknown", "end", "max", "stop", "tools", "refusal", "pause", "context"};
    EXPECT_EQ(end_, "");
    end_ = " " + std::string(kCauses[static_cast<int>(stop.cause)]) + stop.sequence;
  }
  void Fail(const AnswerError& error) override {
    EXPECT_EQ(end_, "");
    end_ = " error(" + std::to_string(error.status) + ": " + error.message + ")";
  }

  std::string Told() const {
    std::string told = told_;
    for (const Line& line : parts_) told += " " + line.kind + "<" + line.text + ">" + (line.ended ? "." : "");
    return told + usage_ + end_;
  }
  const std::string& last_delta() const { return last_delta_; }

 private:
  struct Line {
    std::string kind, text;
    bool ended;
  };

  void Say(const std::string& what) {
    EXPECT_EQ(told_, "") << "a second start";
    told_ = what;
  }

  std::string told_;
  std::vector<Line> parts_;
  std::string usage_;
  std::string end_;
  std::string last_delta_;
};

// The same whole and byte by byte.
std::string ReadAll(const std::string& stream, bool cut = false) {
  std::vector<std::string> told;
  for (const size_t step : {stream.size() + 1, size_t{1}}) {
    const auto reader = Codec().ReadStream();
    Script script;
    for (size_t at = 0; at < stream.size(); at += step) reader->Feed(stream.substr(at, step), &script);
    reader->Finish(cut, &script);
    told.push_back(script.Told());
  }
  EXPECT_EQ(told[0], told[1]);
  return told[0];
}

std::string Event(const std::string& data) {
  return "data: " + data + "\n\n";
}

// Chunks of these members of the first choice.
std::string Choices(const std::vector<std::string>& members) {
  std::string stream;
  for (const std::string& member : members)
    stream += Event(R"({"id":"c","model":"m","choices":[{"index":0,)" + member + "}]}");
  return stream;
}

// The parts and the end of a proper stream of them.
std::string ReadChoices(const std::vector<std::string>& members) {
  const std::string told = ReadAll(Choices(members) + "data: [DONE]\n\n");
  EXPECT_THAT(told, StartsWith("start(c,m)"));
  return told.substr(std::string("start(c,m)").size());
}

std::string Calls(const std::string& calls) {
  return R"("delta":{"tool_calls":[)" + calls + "]}";
}

const char kStopped[] = R"("delta":{},"finish_reason":"stop")";

TEST(ChatCodecStream, ReadsThinkingTextAndCalls) {
  EXPECT_EQ(ReadChoices({R"("delta":{"role":"assistant","content":""})", R"("delta":{"reasoning_content":"h"})",
                         R"("delta":{"reasoning":"m"})", R"("delta":{"content":"a"})", R"("delta":{"content":"b"})",
                         Calls(R"({"index":0,"id":"t","function":{"name":"f","arguments":"{\"x\""}})"),
                         Calls(R"({"index":0,"function":{"arguments":":1}"}})"),
                         R"("delta":{},"finish_reason":"tool_calls")"}),
            R"( thinking<hm>. text<ab>. call(f,t)<{"x":1}>. tools)");
}

TEST(ChatCodecStream, TellsEachDeltaAtOnce) {
  const auto reader = Codec().ReadStream();
  Script script;
  reader->Feed(Choices({R"("delta":{"content":"a"})"}), &script);
  EXPECT_EQ(script.Told(), "start(c,m) text<a>");
  reader->Feed(Choices({Calls(R"({"index":0,"id":"t","function":{"name":"f","arguments":""}})")}), &script);
  EXPECT_EQ(script.Told(), "start(c,m) text<a>. call(f,t)<>");
  reader->Feed(Choices({Calls(R"({"index":0,"function":{"arguments":"{}"}})")}), &script);
  EXPECT_EQ(script.Told(), "start(c,m) text<a>. call(f,t)<{}>.");
}

TEST(ChatCodecStream, TellsInterleavedCallsAsTheyCome) {
  EXPECT_EQ(ReadChoices({Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"a\":"}})"),
                         Calls(R"({"index":1,"id":"b","function":{"name":"g","arguments":"{\"b\""}})"),
                         R"("delta":{"content":"text"})", Calls(R"({"index":0,"function":{"arguments":"1}"}})"),
                         Calls(R"({"index":1,"function":{"arguments":":2}"}})"), kStopped}),
            R"( call(f,a)<{"a":1}>. call(g,b)<{"b":2}>. text<text>. tools)");
}

TEST(ChatCodecStream, WaitsForLateNamesAndIds) {
  EXPECT_EQ(ReadChoices({Calls(R"({"index":0,"function":{"arguments":"{\"a\""}})"),
                         Calls(R"({"index":0,"function":{"name":"f","arguments":":"}})"),
                         Calls(R"({"index":0,"id":"late","function":{"arguments":"1"}})"),
                         Calls(R"({"index":0,"function":{"arguments":"}"}})"), kStopped}),
            R"( call(f,late)<{"a":1}>. tools)");
}

TEST(ChatCodecStream, MakesUpIdsThatNeverCome) {
  EXPECT_THAT(ReadChoices({Calls(R"({"index":0,"id":1,"function":{"name":"f","arguments":"{\"a\":1}"}})"),
                           Calls(R"({"index":1,"id":"","function":{"name":"g","arguments":""}})"), kStopped}),
              MatchesRegex(R"( call\(f,call_[0-9a-f]{16}\)<\{"a":1\}>\. call\(g,call_[0-9a-f]{16}\)<>\. tools)"));
}

TEST(ChatCodecStream, TellsCallsApartThatShareAnIndexOrHaveNone) {
  EXPECT_EQ(ReadChoices({Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"a\":1}"}})"),
                         Calls(R"({"index":0,"id":"b","function":{"name":"f","arguments":"{\"a\":2}"}})"),
                         Calls(R"({"id":"c","function":{"name":"g","arguments":"{"}})"),
                         Calls(R"({"function":{"arguments":"}"}})"), kStopped}),
            R"( call(f,a)<{"a":1}>. call(f,b)<{"a":2}>. call(g,c)<{}>. tools)");
  EXPECT_EQ(ReadChoices({Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":""}})"),
                         Calls(R"({"index":0,"id":"b","function":{"arguments":"{\"x\""}})"),
                         Calls(R"({"index":0,"id":"c","function":{"name":null,"arguments":":1}"}})"), kStopped}),
            R"( call(f,a)<{"x":1}>. tools)");
  EXPECT_EQ(ReadChoices({Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}})"),
                         Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}})"), kStopped}),
            R"( call(f,a)<{"x":1}>. tools)");
  EXPECT_THAT(ReadChoices({Calls(R"({"function":{"name":"f","arguments":"{\"x\":1}"}})"),
                           Calls(R"({"function":{"name":"f","arguments":"{\"x\":2}"}})"), kStopped}),
              MatchesRegex(R"( call\(f,call_\w+\)<\{"x":1\}>\. call\(f,call_\w+\)<\{"x":2\}>\. tools)"));
}

TEST(ChatCodecStream, AnEmptyObjectInFrontOfTheArgumentsIsDropped) {
  const std::string head = Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}"}})");
  EXPECT_EQ(ReadChoices({head, Calls(R"({"index":0,"function":{"arguments":"{\"x\""}})"),
                         Calls(R"({"index":0,"function":{"arguments":":1}"}})"), kStopped}),
            R"( call(f,a)<{"x":1}>. tools)");
  EXPECT_EQ(ReadChoices({Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}{\"x\":1}"}})"), kStopped}),
            R"( call(f,a)<{"x":1}>. tools)");
  EXPECT_EQ(ReadChoices({head, Calls(R"({"index":0,"function":{"arguments":"{}"}})"), kStopped}),
            " call(f,a)<{}>. tools");
  EXPECT_EQ(ReadChoices({head, R"("delta":{"content":"t"})",
                         Calls(R"({"index":1,"id":"b","function":{"name":"g","arguments":"{}"}})"),
                         Calls(R"({"index":2,"id":"c","function":{"name":"h","arguments":""}})"), kStopped}),
            " call(f,a)<{}>. text<t>. call(g,b)<{}>. call(h,c)<>. tools");
  EXPECT_EQ(ReadAll(Choices({head}), /*cut=*/true),
            "start(c,m) call(f,a)<> error(500: the upstream's stream broke off)");
}

TEST(ChatCodecStream, ReadsCustomToolsAndTheOldFunctionCall) {
  EXPECT_EQ(ReadChoices({Calls(R"({"index":0,"id":"a","type":"custom","custom":{"name":"c","input":"{} x"}})"),
                         Calls(R"({"index":0,"custom":{"input":" y"}})"), kStopped}),
            " call(c,a,custom)<{} x y>. tools");
  EXPECT_THAT(ReadChoices({R"("delta":{"function_call":{"name":"f","arguments":"{\"a\":"}})",
                           R"("delta":{"function_call":{"arguments":"1}"}})", R"("finish_reason":"function_call")"}),
              MatchesRegex(R"( call\(f,call_\w+\)<\{"a":1\}>\. tools)"));
}

TEST(ChatCodecStream, CollectsDetails) {
  EXPECT_EQ(
      ReadChoices({R"("delta":{"reasoning":"h","reasoning_details":[{"type":"reasoning.text","text":"h","index":0}]})",
                   R"("delta":{"reasoning":"m","reasoning_details":[{"type":"reasoning.text","text":"m","index":0}]})",
                   R"("delta":{"reasoning_details":[{"type":"reasoning.text","signature":"s","index":0,"id":null}]})",
                   R"("delta":{"content":"a"})",
                   R"("delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"x","index":1}]})",
                   R"("delta":{"content":"b"})", kStopped}),
      R"( thinking<hm![{"type":"reasoning.text","text":"hm","index":0,"signature":"s","id":null}]!>. text<ab>.)"
      R"( thinking<![{"type":"reasoning.encrypted","data":"x","index":1}]!>. end)");
  EXPECT_EQ(ReadChoices({R"("delta":{"reasoning_details":[{"type":"reasoning.summary","summary":"so"}]})",
                         R"("delta":{"content":"a"})", kStopped}),
            R"( thinking<so![{"type":"reasoning.summary","summary":"so"}]!>. text<a>. end)");
  EXPECT_EQ(ReadChoices({R"("delta":{"content":"","reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]})",
                         R"("delta":{"content":"a"})", kStopped}),
            R"( thinking<![{"type":"reasoning.encrypted","data":"x"}]!>. text<a>. end)");
}

TEST(ChatCodecStream, ExtraContentComesBeforeTheArguments) {
  EXPECT_EQ(ReadChoices({Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"a\":1}"},)"
                               R"("extra_content":{"google":{"thought_signature":"s"}}})"),
                         kStopped}),
            R"( call(f,a)<!{"google":{"thought_signature":"s"}}!{"a":1}>. tools)");
}

TEST(ChatCodecStream, ReadsContentOfAllKinds) {
  EXPECT_EQ(ReadChoices({R"("delta":{"content":null})", R"("delta":{"content":[]})", R"("message":{"content":"a"})",
                         R"("delta":null)", R"("logprobs":null)", R"("delta":{"refusal":"No."})", kStopped}),
            " text<a>. refusal<No.>. refusal");
  EXPECT_EQ(ReadChoices({R"("delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]})",
                         R"("delta":{"content":[{"type":"text","text":"a"}]})",
                         R"("delta":{"images":[{"image_url":{"url":"data:image/png;base64,aGk="}}]})", kStopped}),
            " thinking<hm>. text<a>. media(image/png)<aGk=>. end");
}

TEST(ChatCodecStream, ReadsFinishReasons) {
  const auto end = [](const std::string& members) { return ReadChoices({R"("delta":{"content":"a"},)" + members}); };
  EXPECT_EQ(end(R"("finish_reason":"")"), " text<a>. unknown");
  EXPECT_EQ(end(R"("finish_reason":"stop")"), " text<a>. end");
  EXPECT_EQ(end(R"("finish_reason":"stop","stop_reason":"END")"), " text<a>. stopEND");
  EXPECT_EQ(end(R"("finish_reason":"model_length")"), " text<a>. max");
  EXPECT_EQ(end(R"("finish_reason":"tool_calls")"), " text<a>. end");
  EXPECT_THAT(end(R"("finish_reason":"insufficient_system_resource")"),
              EndsWith("error(529: the upstream broke its answer off: insufficient system resource)"));
}

TEST(ChatCodecStream, TakesUsageFromWhereverItComes) {
  const std::string usage = R"("usage":{"prompt_tokens":3,"completion_tokens":2})";
  const std::string wanted = "start(c,m) text<a>. usage(3/2) end";
  const std::string a = R"("delta":{"content":"a"})";
  EXPECT_EQ(ReadAll(Choices({a, kStopped}) + Event(R"({"choices":[],)" + usage + "}") + Event("[DONE]")), wanted);
  EXPECT_EQ(ReadAll(Choices({a, kStopped + std::string(",") + usage})), wanted);
  EXPECT_EQ(ReadAll(Choices({a, kStopped}) + Event(R"({"choices":[],"x_groq":{)" + usage + "}}")), wanted);
  EXPECT_EQ(ReadAll(Choices({a, kStopped}) + Event(R"({"choices":[],"usage":null})")), "start(c,m) text<a>. end");
}

TEST(ChatCodecStream, EndsProperlyOrNot) {
  const std::string a = R"("delta":{"content":"a"})";
  EXPECT_EQ(ReadAll(Choices({a, kStopped})), "start(c,m) text<a>. end");
  EXPECT_EQ(ReadAll(Choices({a, kStopped}), /*cut=*/true), "start(c,m) text<a>. end");
  EXPECT_EQ(ReadAll(Choices({a}) + "data: [DONE]"), "start(c,m) text<a>. unknown");
  EXPECT_EQ(ReadAll(Choices({a})), "start(c,m) text<a> error(500: the upstream's stream broke off)");
  EXPECT_EQ(ReadAll(""), " error(500: the upstream ended its stream without an answer)");
  EXPECT_EQ(ReadAll(Event("[DONE]")), " error(500: the upstream ended its stream without an answer)");
  EXPECT_EQ(ReadAll(Event("not json")), " error(500: the upstream sent a chunk that is no JSON object)");
  EXPECT_THAT(ReadChoices({Calls(R"({"index":0,"id":"t","function":{"arguments":"{}"}})"), kStopped}),
              EndsWith("error(500: the upstream sent a tool call without a name)"));
}

TEST(ChatCodecStream, ReadsErrors) {
  EXPECT_EQ(ReadAll(Choices({R"("delta":{"content":"a"},"finish_reason":"error","error":{"code":429,"message":"slow"})",
                             R"("delta":{"content":"b"})"})),
            "start(c,m) text<a> error(429: slow)");
  EXPECT_EQ(ReadAll(Event(R"({"error":{"type":"overloaded_error","message":"busy"}})")), " error(529: busy)");
  EXPECT_EQ(ReadAll(Event(R"({"error":"out of memory"})")), " error(500: out of memory)");
  EXPECT_EQ(ReadAll("event: error\ndata: {\"message\":\"boom\"}\n\n"), " error(500: boom)");
}

TEST(ChatCodecStream, NotesWhatItDrops) {
  const auto reader = Codec().ReadStream();
  Script script;
  reader->Feed(Event(R"({"choices":[{"index":1}]})") +
                   Choices({R"("delta":{"audio":{"data":"x"},"annotations":[]})",
                            Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}{}"}})")}),
               &script);
  EXPECT_THAT(reader->notes(), ElementsAre("choices: all behind the first dropped", "audio: dropped",
                                           "tool_calls.arguments: what follows complete ones dropped"));
}

TEST(ChatCodecStream, HoldsNoMoreThanItsBound) {
  const auto reader = Codec().ReadStream();
  Script script;
  const std::string mebibyte(size_t{1} << 20, 'x');
  reader->Feed(Choices({Calls(R"({"index":0,"function":{"arguments":"{\""}})")}), &script);
  for (size_t held = 0; held < StreamReader::kMaxHeldBytes; held += mebibyte.size()) {
    EXPECT_EQ(script.Told(), "start(c,m)");
    reader->Feed(Choices({Calls(R"({"index":0,"function":{"arguments":")" + mebibyte + R"("}})")}), &script);
  }
  EXPECT_THAT(script.Told(), HasSubstr("than can be held"));
  const auto many = Codec().ReadStream();
  Script calls;
  for (size_t i = 0; i <= StreamReader::kMaxToolCalls; ++i) {
    if (i == StreamReader::kMaxToolCalls) EXPECT_EQ(calls.Told().find("error"), std::string::npos);
    const std::string number = std::to_string(i);
    many->Feed(Choices({Calls(R"({"index":)" + number + R"(,"id":"i)" + number + R"(","function":{"name":"f"}})")}),
               &calls);
  }
  EXPECT_THAT(calls.Told(), HasSubstr("too many tool calls"));
}

// ---- Writing.

class ChatCodecChunks : public testing::Test {
 protected:
  void SetUp() override { Begin({}); }
  void Begin(AnswerContext context) {
    include_usage_ = context.include_usage;
    writer_ = Codec().WriteStream(context);
    out_.clear();
    writer_->WriteTo(&out_);
  }
  ChunkedAnswer Answer() {
    const auto answer = ReadOpenAiChunks(out_, include_usage_);
    EXPECT_TRUE(answer.ok()) << answer.status() << "\n" << out_;
    return answer.ok() ? *answer : ChunkedAnswer();
  }

  bool include_usage_ = true;
  std::string out_;
  std::unique_ptr<StreamWriter> writer_;
};

TEST_F(ChatCodecChunks, TextByteForByte) {
  AnswerContext context;
  context.model = "m";
  context.created = 1700000000;
  Begin(context);
  writer_->Start("msg_1", "up");
  writer_->StartPart(0, {});
  writer_->Delta(0, "Hello");
  writer_->EndPart(0);
  writer_->SetUsage({.input = 125, .cache_read = 100, .output = 15});
  writer_->End({StopCause::kEnd, "", ""});
  const std::string head =
      R"(data: {"id":"msg_1","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":)";
  EXPECT_EQ(out_, head +
                      R"([{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null})"
                      "\n\n" +
                      head + R"([{"index":0,"delta":{"content":"Hello"},"finish_reason":null}],"usage":null})" +
                      "\n\n" + head + R"([{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null})" + "\n\n" +
                      head +
                      R"([],"usage":{"prompt_tokens":125,"completion_tokens":15,"total_tokens":140,)"
                      R"("prompt_tokens_details":{"cached_tokens":100}}})"
                      "\n\ndata: [DONE]\n\n");
}

TEST_F(ChatCodecChunks, NoUsageUnlessAsked) {
  AnswerContext context;
  context.include_usage = false;
  Begin(context);
  writer_->End({});
  EXPECT_EQ(Answer().finish_reason, "stop");
  EXPECT_EQ(out_.find("usage"), out_.npos);
}

TEST_F(ChatCodecChunks, InterleavedCallsAndThoseWithoutArguments) {
  writer_->StartPart(0, {PartKind::kToolCall, "a", "f", false});
  writer_->StartPart(1, {PartKind::kToolCall, "a", "g", false});
  writer_->Delta(1, R"({"x")");
  writer_->Delta(0, R"({"y":1})");
  writer_->Delta(1, ":2}");
  writer_->EndPart(0);
  writer_->EndPart(1);
  writer_->StartPart(2, {PartKind::kToolCall, "c", "h", false});
  writer_->End({StopCause::kToolUse, "", ""});
  const ChunkedAnswer answer = Answer();
  ASSERT_THAT(answer.calls, SizeIs(3));
  EXPECT_EQ(answer.calls[0].name + answer.calls[0].arguments, R"(g{"x":2})");
  EXPECT_EQ(answer.calls[1].name + answer.calls[1].arguments, R"(f{"y":1})");
  EXPECT_EQ(answer.calls[2].name + answer.calls[2].arguments, "h{}");
  EXPECT_NE(answer.calls[0].id, answer.calls[1].id);
  EXPECT_EQ(answer.finish_reason, "tool_calls");
}

TEST_F(ChatCodecChunks, StateGoesWithTheCallAndTheThinking) {
  writer_->StartPart(0, {PartKind::kThinking, "", "", false});
  writer_->Delta(0, "h");
  writer_->Delta(0, "m");
  writer_->AddState(0, {StateKind::kAnthropicSignature, "s"});
  writer_->EndPart(0);
  writer_->StartPart(1, {PartKind::kToolCall, "a", "f", false});
  writer_->AddState(1, {StateKind::kGeminiSignature, "abc="});
  writer_->AddState(1, {StateKind::kChatExtraContent, R"({"k":1})"});
  writer_->Delta(1, "{}");
  writer_->End({StopCause::kToolUse, "", ""});
  EXPECT_THAT(out_, HasSubstr(R"("delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":")" +
                              PackStates({{StateKind::kAnthropicSignature, "s"}}) + R"(","id":"ccr_0_2_)"));
  EXPECT_THAT(out_, HasSubstr(R"("id":"a__sig_abc","type":"function","function":{"name":"f","arguments":""},)"
                              R"("extra_content":{"k":1}})"));
  EXPECT_EQ(Answer().reasoning, "hm");
}

TEST_F(ChatCodecChunks, GivesCustomToolsTheirTextWhenItIsWhole) {
  AnswerContext context;
  context.custom_tools = {"patch"};
  Begin(context);
  writer_->StartPart(0, {PartKind::kToolCall, "a", "patch", false});
  writer_->Delta(0, R"({"inp)");
  writer_->Delta(0, R"(ut":"x"})");
  EXPECT_EQ(out_.find("patch"), out_.npos);
  writer_->EndPart(0);
  EXPECT_THAT(out_, HasSubstr(R"([{"index":0,"id":"a","type":"custom","custom":{"name":"patch","input":"x"}}])"));
}

TEST_F(ChatCodecChunks, ExplainsAnAnswerWithoutContent) {
  writer_->End({StopCause::kRefusal, "", "blocked"});
  EXPECT_EQ(Answer().refusal, "blocked");
  EXPECT_EQ(Answer().finish_reason, "content_filter");
}

TEST_F(ChatCodecChunks, AModelsOwnRefusalIsAnEnd) {
  writer_->StartPart(0, {PartKind::kRefusal, "", "", false});
  writer_->Delta(0, "No.");
  writer_->End({StopCause::kRefusal, "", ""});
  EXPECT_EQ(Answer().refusal, "No.");
  EXPECT_EQ(Answer().finish_reason, "stop");
}

TEST_F(ChatCodecChunks, ErrorsEndTheStream) {
  AnswerError error;
  error.kind = ErrorKind::kOverloaded;
  error.status = 529;
  error.message = "busy";
  writer_->Fail(error);
  EXPECT_EQ(Answer().error, "busy");
  Begin({});
  writer_->Start("c", "m");
  writer_->StartPart(0, {});
  writer_->Delta(0, "a");
  writer_->Fail(error);
  writer_->Delta(0, "b");
  writer_->End({});
  writer_->Fail(error);
  EXPECT_EQ(Answer().text, "a");
  EXPECT_EQ(Answer().error, "busy");
}

TEST_F(ChatCodecChunks, IgnoresWhatDoesNotFit) {
  writer_->Delta(7, "x");
  writer_->AddState(7, {StateKind::kGeminiSignature, "x"});
  writer_->EndPart(7);
  writer_->Start("c", "m");
  writer_->Start("d", "m");
  writer_->StartPart(0, {});
  writer_->StartPart(0, {PartKind::kThinking, "", "", false});
  writer_->Delta(0, "a");
  writer_->EndPart(0);
  writer_->Delta(0, "b");
  writer_->End({});
  writer_->End({});
  writer_->Start("e", "m");
  EXPECT_EQ(Answer().text, "a");
}

}  // namespace
}  // namespace ccr::proxy::chat

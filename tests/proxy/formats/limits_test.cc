// What translations keep of bodies and streams has limits, and beyond them says so.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "pairs.h"
#include "proxy/formats/edited_translation.h"

namespace ccr::proxy {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr size_t kMebibyte = size_t{1} << 20;

// Feeds `event` as often as it takes to fail, at most `times`. How often it was fed.
size_t TimesUntilFailed(StreamTranslator* stream, const std::function<std::string(size_t)>& event, size_t times,
                        std::string* out) {
  size_t fed = 0;
  while (fed < times && !stream->failed()) stream->Feed(event(fed++), out);
  return fed;
}

std::string OpenAiCall(size_t index, const std::string& name, const std::string& arguments) {
  return R"(data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":)" + std::to_string(index) +
         R"(,"function":{"name":")" + name + R"(","arguments":")" + arguments + "\"}}]}}]}\n\n";
}

EditedTranslation Using(const std::string& transformer, const Translation* inner = nullptr) {
  Provider provider;
  provider.transformers = {{transformer, "{}"}};
  return EditedTranslation(inner, TransformerChain(provider, "m"));
}

TEST(Limits, NotesBeyondTheMostAreCounted) {
  Notes notes;
  for (size_t i = 0; i < Notes::kMost; ++i) notes.Add("note " + std::to_string(i));
  notes.Add("note 0");
  EXPECT_EQ(notes.more(), 0);
  notes.Add("one more");
  notes.Add("one more");
  EXPECT_EQ(notes.size(), Notes::kMost);
  EXPECT_EQ(notes.more(), 2);
  EXPECT_THAT(notes, Not(Contains("one more")));
  Notes all{"other"};
  all.Add(notes);
  EXPECT_EQ(all.size(), Notes::kMost);
  EXPECT_EQ(all.more(), 3);
}

TEST(Limits, UnknownMembersAreNotedUpToTheMost) {
  std::string body = R"({"messages":[{"role":"user","content":"x"}],"max_tokens":1)";
  for (size_t i = 0; i < Notes::kMost + 5; ++i) body += ",\"u" + std::to_string(i) + "\":0";
  body += "}";
  Notes notes;
  ASSERT_TRUE(MakeAnthropicToOpenAi()->Request(body, "m", &notes).ok());
  EXPECT_EQ(notes.size(), Notes::kMost);
  EXPECT_EQ(notes.more(), 5);
}

// A list of so many zeros is one value more.
std::string Zeros(size_t count) {
  std::string list = "[";
  for (size_t i = 0; i < count; ++i) list += i == 0 ? "0" : ", 0";
  return list + "]";
}

TEST(Limits, RequestsOfTooManyValuesAreRefused) {
  constexpr size_t kOthers = 8;
  const std::string begin = R"({"max_tokens":1,"messages":[{"role":"user","content":",[{\\\",\""}],"s":{ },"u":)";
  const std::string fits = begin + Zeros(kMaxJsonValues - kOthers) + "}";
  const std::string too_much = begin + Zeros(kMaxJsonValues - kOthers + 1) + "}";
  const EditedTranslation edited = Using("tooluse");
  const std::unique_ptr<Translation> all[] = {MakeAnthropicToOpenAi(), MakeAnthropicToGemini(), MakeOpenAiToAnthropic(),
                                              MakeOpenAiToGemini()};
  const auto check = [&](const Translation& translation) {
    Notes notes;
    EXPECT_TRUE(translation.Request(fits, "m", &notes).ok());
    const absl::Status refused = translation.Request(too_much, "m", &notes).status();
    EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("more than 200000 JSON values"));
  };
  for (const auto& translation : all) check(*translation);
  check(edited);
}

TEST(Limits, ArgumentsOfAllCallsTogether) {
  const std::string call =
      R"({"id":"c","function":{"name":"n","arguments":"{\"a\":)" + Zeros(kMaxJsonValues / 2) + R"(}"}})";
  const auto request = [](const std::string& calls) {
    return R"({"messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[)" + calls + "]}]}";
  };
  const auto answer = [](const std::string& calls) {
    return R"({"id":"a","choices":[{"message":{"role":"assistant","tool_calls":[)" + calls + "]}}]}";
  };
  Notes notes;
  for (const auto& translation : {MakeOpenAiToAnthropic(), MakeOpenAiToGemini()}) {
    EXPECT_TRUE(translation->Request(request(call), "m", &notes).ok());
    EXPECT_TRUE(absl::IsResourceExhausted(translation->Request(request(call + "," + call), "m", &notes).status()));
  }
  EXPECT_TRUE(MakeAnthropicToOpenAi()->Response(answer(call), &notes).ok());
  const absl::Status failed = MakeAnthropicToOpenAi()->Response(answer(call + "," + call), &notes).status();
  EXPECT_TRUE(absl::IsInternal(failed)) << failed;
  EXPECT_THAT(std::string(failed.message()), HasSubstr("answer is too large to be translated"));
}

TEST(Limits, AnswersOfTooManyValuesAreNone) {
  const std::string list = Zeros(kMaxJsonValues);
  const std::string openai =
      R"({"choices":[{"index":0,"message":{"content":"x"},"delta":{"content":"x"}}],"u":)" + list + "}";
  const std::string anthropic = R"({"type":"message","content":[{"type":"text","text":"x"}],"u":)" + list + "}";
  const std::string gemini = R"({"candidates":[{"content":{"parts":[{"text":"x"}]}}],"u":)" + list + "}";
  const EditedTranslation edited = Using("tooluse");
  const auto check = [](const Translation& translation, const std::string& body) {
    Notes notes;
    const absl::Status failed = translation.Response(body, &notes).status();
    EXPECT_TRUE(absl::IsInternal(failed)) << failed;
    EXPECT_THAT(std::string(failed.message()), HasSubstr("answer is too large to be translated"));
    const auto stream = translation.Stream("m", {});
    std::string out;
    stream->Feed("data: " + body + "\n\n", &out);
    EXPECT_TRUE(stream->failed());
    EXPECT_THAT(out, HasSubstr("\"error\""));
  };
  check(*MakeAnthropicToOpenAi(), openai);
  check(edited, openai);
  check(*MakeOpenAiToAnthropic(), anthropic);
  check(*MakeOpenAiToGemini(), gemini);
  check(*MakeAnthropicToGemini(), gemini);
}

TEST(Limits, StreamsFailBeyondTheMostToolCalls) {
  const auto openai = MakeAnthropicToOpenAi()->Stream("m", {});
  const auto anthropic = MakeOpenAiToAnthropic()->Stream("m", {});
  const auto gemini = MakeOpenAiToGemini()->Stream("m", {});
  const auto block = [](size_t i) {
    return R"(data: {"type":"content_block_start","index":)" + std::to_string(i) +
           R"(,"content_block":{"type":"tool_use","name":"n"}})" + "\n\n";
  };
  const auto part = [](size_t) {
    return std::string(R"(data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"n"}}]}}]})") + "\n\n";
  };
  const auto call = [](size_t i) { return OpenAiCall(i, "n", "{}"); };
  constexpr size_t kMost = StreamTranslator::kMaxToolCalls;
  std::string out;
  EXPECT_EQ(TimesUntilFailed(openai.get(), call, kMost + 9, &out), kMost + 1);
  EXPECT_EQ(TimesUntilFailed(anthropic.get(), block, kMost + 9, &out), kMost + 1);
  EXPECT_EQ(TimesUntilFailed(gemini.get(), part, kMost + 9, &out), kMost + 1);
}

TEST(Limits, EnhanceToolHoldsSoMuchOfACall) {
  const auto inner = MakeAnthropicToOpenAi();
  const std::string piece(kMebibyte, 'a');
  const auto one = [&piece](size_t) { return OpenAiCall(0, "n", piece); };
  const auto each = [&piece](size_t i) { return OpenAiCall(i, "n", piece); };
  for (const Translation* behind :
       {static_cast<const Translation*>(nullptr), static_cast<const Translation*>(&*inner)}) {
    const EditedTranslation edited = Using("enhancetool", behind);
    std::string out;
    const auto of_one = edited.Stream("m", {});
    EXPECT_EQ(TimesUntilFailed(of_one.get(), one, 20, &out), 5);
    EXPECT_THAT(out, HasSubstr("longer than enhancetool holds"));
    const size_t size = out.size();
    of_one->Feed(OpenAiCall(1, "n", "{}"), &out);
    of_one->Finish(false, &out);
    EXPECT_EQ(out.size(), size) << "nothing follows an error";
    const auto of_all = edited.Stream("m", {});
    EXPECT_EQ(TimesUntilFailed(of_all.get(), each, 20, &out), 17);
    const auto of_many = edited.Stream("m", {});
    const auto call = [](size_t i) { return OpenAiCall(i, "n", ""); };
    EXPECT_EQ(TimesUntilFailed(of_many.get(), call, 2000, &out), StreamTranslator::kMaxToolCalls + 1);
  }
}

TEST(Limits, ToolUseHoldsSoMuch) {
  const EditedTranslation edited = Using("tooluse");
  std::string out;
  const auto many = edited.Stream("m", {});
  const auto call = [](size_t i) { return OpenAiCall(i, "ExitTool", R"({\"response\":\"x)"); };
  EXPECT_EQ(TimesUntilFailed(many.get(), call, 200, &out), 65);
  EXPECT_THAT(out, HasSubstr("than tooluse holds"));
  const auto odd = edited.Stream("m", {});
  const std::string piece(kMebibyte, 'a');
  const auto more = [&piece](size_t i) { return OpenAiCall(0, i == 0 ? "ExitTool" : "", piece); };
  EXPECT_EQ(TimesUntilFailed(odd.get(), more, 20, &out), 5);
}

TEST(Limits, ChunksRepeatTheBeginningOfALongId) {
  const auto stream = MakeOpenAiToAnthropic()->Stream("", {});
  std::string out;
  stream->Feed(R"(data: {"type":"message_start","message":{"id":")" + std::string(kMebibyte, 'i') + R"(","model":")" +
                   std::string(kMebibyte, 'm') + "\"}}\n\n",
               &out);
  EXPECT_LT(out.size(), 1000);
  EXPECT_THAT(out, HasSubstr(std::string(256, 'i')));
}

TEST(Limits, SchemasThatStandForTooMuchAreCut) {
  std::string schema = R"({"$defs":{"d":{"properties":{)";
  for (int i = 0; i < 1000; ++i) schema += (i == 0 ? "\"p" : ",\"p") + std::to_string(i) + "\":{}";
  schema += R"(}}},"properties":{)";
  for (int i = 0; i < 1000; ++i) schema += (i == 0 ? "\"r" : ",\"r") + std::to_string(i) + R"(":{"$ref":"#/$defs/d"})";
  schema += "}}";
  const std::string body =
      R"({"messages":[{"role":"user","content":"x"}],"tools":[{"function":{"name":"t","parameters":)" + schema +
      R"(}},{"function":{"name":"last","parameters":{"properties":{"a":{}}}}}]})";
  Notes notes;
  const auto request = MakeOpenAiToGemini()->Request(body, "gemini-2.5-flash", &notes);
  ASSERT_TRUE(request.ok());
  EXPECT_LT(request->body.size(), 8 * kMebibyte);
  EXPECT_THAT(request->body, HasSubstr(R"({"name":"last"})"));
  EXPECT_THAT(notes, Contains(HasSubstr("schemas too large")));
}

}  // namespace
}  // namespace ccr::proxy

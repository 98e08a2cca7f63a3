// Identifiers of calls on their way to a provider.
#include "proxy/formats/conversation/call_ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "conversation_text.h"
#include "pairs.h"
#include "proxy/formats/conversation/fit.h"

namespace ccr::proxy {
namespace {

using namespace in_words;  // NOLINT
using ::testing::MatchesRegex;
using ::testing::Not;

constexpr char kShort[] = "[a-zA-Z0-9]{9}";

ProviderRules Short() {
  ProviderRules rules;
  rules.call_ids = ProviderRules::CallIds::kShort;
  return rules;
}

std::vector<std::string> IdsOf(const ModelRequest& request) {
  std::vector<std::string> ids;
  for (const Message& message : request.messages) {
    for (const Part& part : message.parts)
      if (!part.id.empty()) ids.push_back(part.id);
  }
  return ids;
}

TEST(CallIdsTest, OfAForeignProviderBecomeShort) {
  for (const Format provider : {Format::kChat, Format::kAnthropic, Format::kResponses, Format::kGemini}) {
    fit::UniqueIds ids(Short(), provider);
    const std::string made = ids.Make("toolu_01A09q90qw90lq917835lq9");
    EXPECT_THAT(made, MatchesRegex(kShort));
    EXPECT_EQ(fit::UniqueIds(Short(), provider).Make("toolu_01A09q90qw90lq917835lq9"), made);
    EXPECT_EQ(ids.Make("D681PevKs"), "D681PevKs");  // Mistral's own
    EXPECT_THAT(ids.Make(""), MatchesRegex(kShort));
    EXPECT_THAT(ids.Make("call.1234"), MatchesRegex(kShort));
    const std::string second = ids.Make("toolu_01A09q90qw90lq917835lq9");
    EXPECT_THAT(second, MatchesRegex(kShort));
    EXPECT_NE(second, made);
  }
}

TEST(CallIdsTest, HaveAtMostWhatTheFormatTakes) {
  const std::string vllm = "chatcmpl-tool-" + std::string(32, 'a');
  const std::string longest(100, 'b');
  fit::UniqueIds chat({}, Format::kChat);
  EXPECT_EQ(chat.Make(std::string(40, 'c')), std::string(40, 'c'));
  EXPECT_THAT(chat.Make(vllm), MatchesRegex("chatcmpl-tool-a{9}_[0-9a-f]{16}"));
  EXPECT_THAT(chat.Make(vllm + "x"), MatchesRegex("chatcmpl-tool-a{9}_[0-9a-f]{16}"));
  EXPECT_LE(chat.Make(std::string(40, 'c')).size(), 40U);
  fit::UniqueIds responses({}, Format::kResponses);
  EXPECT_EQ(responses.Make(vllm), vllm);
  EXPECT_EQ(responses.Make(longest).size(), 64U);
  EXPECT_EQ(fit::UniqueIds({}, Format::kGemini).Make(longest), longest);
}

TEST(CallIdsTest, OfCallsAndResultsAreTheSame) {
  for (const bool same : {false, true}) {
    ModelRequest request;
    Notes notes;
    request.origin = same ? Format::kChat : Format::kGemini;
    Add(&request, {Say(Role::kUser, "hi"),
                   Say(Role::kAssistant, {in_words::Call("call_84fd26340d722a35"), in_words::Call("D681PevKs")}),
                   Say(Role::kTool, {Result("call_84fd26340d722a35", "x"), Result("D681PevKs", "y")})});
    if (same) {
      EXPECT_FALSE(FitSame({}, false, &request, &notes));
      EXPECT_TRUE(FitSame(Short(), false, &request, &notes));
      EXPECT_FALSE(FitSame(Short(), false, &request, &notes));
    } else {
      Fit(Short(), Format::kChat, &request, &notes);
    }
    const std::vector<std::string> ids = IdsOf(request);
    ASSERT_EQ(ids.size(), 4U);
    EXPECT_THAT(ids[0], MatchesRegex(kShort));
    EXPECT_EQ(ids[0], ids[2]);
    EXPECT_EQ(ids[1], "D681PevKs");
    EXPECT_EQ(ids[1], ids[3]);
    EXPECT_FALSE(notes.empty());
  }
}

// The bytes of one format as well: a client may have talked to another provider before.
TEST(CallIdsTest, AreWrittenInOneFormat) {
  const std::string body = R"({"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant",)"
                           R"("content":null,"tool_calls":[{"id":"toolu_01","type":"function","function":)"
                           R"({"name":"A","arguments":"{}"}}]},{"role":"tool","tool_call_id":"toolu_01",)"
                           R"("content":"x"}]})";
  const absl::StatusOr<TranslatedRequest> written =
      MakePair(Format::kChat, Format::kChat, Short())->Request(body, "m", nullptr);
  ASSERT_TRUE(written.ok());
  EXPECT_THAT(written->body, Not(testing::HasSubstr("toolu_01")));
  EXPECT_THAT(written->body, testing::HasSubstr("tool_call_id"));
  EXPECT_TRUE(FormatPair::MayEdit(Format::kChat, Short(), RequestFacts(), body));
}

}  // namespace
}  // namespace ccr::proxy

// Thinking of earlier answers, behind Fit(): what goes back, and where Anthropic thinks at all.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "conversation_text.h"
#include "proxy/formats/conversation/fit.h"

namespace ccr::proxy {
namespace {

using namespace in_words;  // NOLINT
using History = ProviderRules::History;
using Mode = Reasoning::Mode;
using Thinking = ProviderRules::Thinking;

ProviderRules Returns(History history, bool with_calls = false) {
  ProviderRules rules;
  rules.reasoning = history;
  rules.reasoning_with_calls = with_calls;
  return rules;
}

// A call, its result and a signature that may be missing.
struct InTurn {
  std::string name;
  std::vector<Message> messages;
  bool thinks, thinks_adaptive;
};

std::vector<InTurn> TurnsOfAnthropic() {
  const Role user = Role::kUser;
  const Role assistant = Role::kAssistant;
  const Role tool = Role::kTool;
  return {
      {"new turn", {Say(user, "a"), Say(assistant, "b"), Say(user, "c")}, true, true},
      {"answers a call", {Say(user, "a"), Say(assistant, {Call("1")}), Say(tool, {Result("1", "x")})}, false, true},
      {"answers a call of its own",
       {Say(user, "a"), Say(assistant, {Signed("R"), Call("1")}), Say(tool, {Result("1", "x")})},
       true,
       true},
      {"answers a second one",
       {Say(user, "a"), Say(assistant, {Signed("R"), Call("1")}), Say(tool, {Result("1", "x")}),
        Say(assistant, {Call("2")}), Say(tool, {Result("2", "y")})},
       true,
       true},
      {"a call without a result", {Say(user, "a"), Say(assistant, {Call("1")}), Say(user, "c")}, false, true},
      {"calls of an earlier turn",
       {Say(user, "a"), Say(assistant, {Call("1")}), Say(tool, {Result("1", "x")}), Say(assistant, "b"),
        Say(user, "c")},
       true,
       true},
      {"the assistant speaks last", {Say(user, "a"), Say(assistant, "b")}, false, false},
  };
}

TEST(FitHistoryTest, AnthropicThinksWhereItTakesThinking) {
  for (const bool adaptive : {false, true}) {
    for (InTurn& one : TurnsOfAnthropic()) {
      ModelRequest request;
      Notes notes;
      request.reasoning.effort = "high";
      Add(&request, std::move(one.messages));
      ProviderRules rules;
      rules.thinking = adaptive ? Thinking::kAdaptive : Thinking::kBudget;
      Fit(rules, Format::kAnthropic, &request, &notes);
      const bool thinks = request.reasoning.mode == Mode::kBudget || request.reasoning.mode == Mode::kAdaptive;
      EXPECT_EQ(thinks, adaptive ? one.thinks_adaptive : one.thinks) << one.name << adaptive;
    }
  }
}

TEST(FitHistoryTest, AnthropicGetsBackWhatItSigned) {
  ModelRequest request;
  Notes notes;
  request.reasoning.effort = "high";
  Add(&request, {Say(Role::kUser, "a"),
                 Say(Role::kAssistant, {Signed("R1"), Think("R2"), Think("R3", {{StateKind::kGeminiSignature, "g"}}),
                                        Think("", {{StateKind::kAnthropicRedacted, "r"}}), Text("b")}),
                 Say(Role::kUser, "c")});
  Fit({}, Format::kAnthropic, &request, &notes);
  EXPECT_EQ(Show(request), "user(a) assistant(~R1!, ~!, b) user(c)");
}

TEST(FitHistoryTest, WithoutThinkingAnthropicGetsNone) {
  ModelRequest request;
  Notes notes;
  Add(&request, {Say(Role::kUser, "a"), Say(Role::kAssistant, {Signed("R1"), Text("b")}), Say(Role::kUser, "c")});
  Fit({}, Format::kAnthropic, &request, &notes);
  EXPECT_EQ(Show(request), "user(a) assistant(b) user(c)");
}

TEST(FitHistoryTest, SameFormatLeavesThinkingOfOthersOut) {
  ModelRequest request;
  Notes notes;
  request.origin = Format::kAnthropic;
  request.reasoning.mode = Mode::kBudget;
  request.reasoning.budget = 2000;
  request.max_tokens = 4000;
  Add(&request,
      {Say(Role::kUser, "a"), Say(Role::kAssistant, {Think("R"), Call("1")}), Say(Role::kTool, {Result("1", "x")})});
  ASSERT_TRUE(FitSame({}, false, &request, &notes));
  EXPECT_EQ(Show(request), "user(a) assistant(A#1) tool(#1=x)");
  EXPECT_EQ(request.reasoning.mode, Mode::kOff);  // it would miss the thinking that the turn began with
}

TEST(FitHistoryTest, SameFormatReturnsUnsignedThinkingToWhoTakesIt) {
  ModelRequest request;
  Notes notes;
  request.origin = Format::kAnthropic;
  Add(&request, {Say(Role::kUser, "a"), Say(Role::kAssistant, {Think("R"), Text("b")}), Say(Role::kUser, "c")});
  EXPECT_FALSE(FitSame(Returns(History::kAll), false, &request, &notes));
}

// Row 3 of the facts: DeepSeek's conversation of two steps.
void AddSteps(ModelRequest* request) {
  Add(request,
      {Say(Role::kUser, "a"), Say(Role::kAssistant, {Think("R0"), Text("b")}), Say(Role::kUser, "c"),
       Say(Role::kAssistant, {Think("R1"), Call("1")}), Say(Role::kTool, {Result("1", "x")}),
       Say(Role::kUser, {Text("r")}, true), Say(Role::kAssistant, {Call("2")}), Say(Role::kTool, {Result("2", "y")})});
}

TEST(FitHistoryTest, ThinkingOfTheHistoryGoesBackAsTheRulesSay) {
  struct Case {
    ProviderRules rules;
    std::string fitted;
  };
  for (const Case& one : std::vector<Case>{
           {Returns(History::kNone),
            "user(a) assistant(b) user(c) assistant(A#1) tool(A#1=x) user+(r) assistant(A#2) tool(A#2=y)"},
           {Returns(History::kTurn),
            "user(a) assistant(b) user(c) assistant(~R1, A#1) tool(A#1=x) user+(r) assistant(A#2) tool(A#2=y)"},
           {Returns(History::kAll),
            "user(a) assistant(~R0, b) user(c) assistant(~R1, A#1) tool(A#1=x) user+(r) assistant(A#2) tool(A#2=y)"},
           {Returns(History::kAll, true),
            "user(a) assistant(~R0, b) user(c) assistant(~R1, A#1) tool(A#1=x) user+(r) assistant(~, A#2) "
            "tool(A#2=y)"}}) {
    ModelRequest request;
    Notes notes;
    request.origin = Format::kAnthropic;
    AddSteps(&request);
    Fit(one.rules, Format::kChat, &request, &notes);
    EXPECT_EQ(Show(request), one.fitted);
  }
}

// Mistral's order does not hide which turn it is.
TEST(FitHistoryTest, TheTurnIsJudgedBeforeItsTextGoesIntoResults) {
  ProviderRules rules = Returns(History::kTurn);
  rules.user_after_tool = false;
  ModelRequest request;
  Notes notes;
  request.origin = Format::kAnthropic;
  AddSteps(&request);
  Fit(rules, Format::kChat, &request, &notes);
  EXPECT_EQ(Show(request), "user(a) assistant(b) user(c) assistant(~R1, A#1) tool(A#1=x+r) assistant(A#2) tool(A#2=y)");
}

TEST(FitHistoryTest, ReasoningDetailsAlwaysGoBack) {
  ModelRequest request;
  Notes notes;
  request.origin = Format::kAnthropic;
  Add(&request, {Say(Role::kUser, "a"),
                 Say(Role::kAssistant, {Think("R", {{StateKind::kChatReasoningDetails, "[]"}}), Text("b")}),
                 Say(Role::kUser, "c")});
  Fit({}, Format::kChat, &request, &notes);
  EXPECT_EQ(Show(request), "user(a) assistant(~R!, b) user(c)");
}

TEST(FitHistoryTest, AClientsOwnReasoningIsNeverTakenAway) {
  for (const History history : {History::kNone, History::kTurn, History::kAll}) {
    ModelRequest request;
    Notes notes;
    AddSteps(&request);
    const std::string given = Show(request);
    EXPECT_FALSE(FitSame(Returns(history), false, &request, &notes));
    EXPECT_EQ(Show(request), given);
    EXPECT_EQ(FitSame(Returns(history, true), false, &request, &notes), history != History::kNone);
  }
}

TEST(FitHistoryTest, StateOfOtherProvidersDoesNotGoToTheSameFormat) {
  ModelRequest request;
  Notes notes;
  request.origin = Format::kResponses;
  Part call = Call("1");
  call.state = {{StateKind::kGeminiSignature, "g"}};
  Add(&request, {Say(Role::kUser, "a"),
                 Say(Role::kAssistant, {Think("R", {{StateKind::kAnthropicSignature, "s"}}),
                                        Think("Q", {{StateKind::kResponsesReasoning, "{}"}}), std::move(call)}),
                 Say(Role::kTool, {Result("1", "x")})});
  ASSERT_TRUE(FitSame({}, false, &request, &notes));
  EXPECT_EQ(Show(request), "user(a) assistant(~Q!, A#1) tool(#1=x)");
  EXPECT_TRUE(request.messages[1].parts[1].state.empty());
}

}  // namespace
}  // namespace ccr::proxy

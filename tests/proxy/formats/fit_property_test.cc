// Whatever a client sends, what Fit() leaves holds to what fit.h says.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "conversation_text.h"
#include "dice.h"
#include "proxy/formats/conversation/fit.h"
#include "proxy/formats/conversation/history.h"
#include "proxy/formats/openai_message.h"

namespace ccr::proxy {
namespace {

uint64_t PropertyRuns() {
  const char* const runs = std::getenv("CCR_PROPERTY_RUNS");
  return runs == nullptr ? Rounds(400) : std::strtoull(runs, nullptr, 10);
}

class RandomConversation {
 public:
  explicit RandomConversation(Dice& dice) : dice_(dice) {}

  void Fill(ModelRequest* request) {
    request->origin = static_cast<Format>(dice_.Below(4));
    for (size_t n = dice_.Below(12); n > 0; --n) request->messages.push_back(RandomMessage());
    for (size_t n = dice_.Below(3); n > 0; --n) {
      Tool& tool = request->tools.emplace_back();
      tool.name = "t";
      tool.parameters = RandomSchema(0);
      if (dice_.OneIn(3)) tool.cache_control = json::object({{"type", "ephemeral"}});
    }
    request->tool_choice.kind = static_cast<ToolChoice::Kind>(dice_.Below(5));
    request->reasoning.mode = static_cast<Reasoning::Mode>(dice_.Below(4));
    if (dice_.OneIn(2)) request->reasoning.budget = dice_.Below(40000);
    if (dice_.OneIn(2)) request->reasoning.effort = dice_.Pick(kEfforts);
    if (dice_.OneIn(2)) request->max_tokens = dice_.Below(20000);
    if (dice_.OneIn(2)) request->sampling.temperature = 0.5;
    if (dice_.OneIn(2)) request->own["metadata"] = RandomJson(dice_);
  }

  ProviderRules Rules() {
    ProviderRules rules;
    rules.system = static_cast<ProviderRules::System>(dice_.Below(2));
    rules.developer = dice_.OneIn(2);
    rules.user_after_tool = dice_.OneIn(2);
    rules.alternate = dice_.OneIn(2);
    rules.call_ids = static_cast<ProviderRules::CallIds>(dice_.Below(2));
    rules.reasoning = static_cast<ProviderRules::History>(dice_.Below(3));
    rules.reasoning_with_calls = dice_.OneIn(2);
    rules.forced = static_cast<ProviderRules::Forced>(dice_.Below(3));
    rules.thinking = static_cast<ProviderRules::Thinking>(dice_.Below(7));
    for (const std::string& effort : kEfforts)
      if (dice_.OneIn(3)) rules.efforts.push_back(effort);
    rules.sampling = dice_.OneIn(2);
    rules.cache_control = dice_.OneIn(2);
    rules.schema_combinators = dice_.OneIn(2);
    rules.schema_items = dice_.OneIn(2);
    rules.schema_refs = dice_.OneIn(2);
    rules.max_output = dice_.OneIn(2) ? 0 : 1 + dice_.Below(20000);
    if (dice_.OneIn(3)) rules.drop = {"temperature", "metadata"};
    return rules;
  }

 private:
  static inline const std::vector<std::string> kEfforts = {"none", "minimal", "low", "medium", "high", "max", "odd"};

  Message RandomMessage() {
    Message message;
    message.role = static_cast<Role>(dice_.Below(5));
    message.continues = dice_.OneIn(4);
    for (size_t n = dice_.Below(4); n > 0; --n) message.parts.push_back(RandomPart(0));
    return message;
  }

  Part RandomPart(int depth) {
    static const std::vector<std::string> kIds = {"", "1", "2", "3", "a.b", "a_b"};
    static const std::vector<std::string> kNames = {"", "A", "B"};
    Part part;
    part.kind = static_cast<PartKind>(dice_.Below(depth > 0 ? 4 : 7));
    part.text = dice_.OneIn(4) ? " \n" : RandomText(dice_);
    part.id = dice_.Pick(kIds);
    part.name = dice_.Pick(kNames);
    part.is_error = dice_.OneIn(4);
    if (dice_.OneIn(3)) part.state = {{static_cast<StateKind>(dice_.Below(6)), "s"}};
    if (dice_.OneIn(4)) part.cache_control = json::object({{"type", "ephemeral"}});
    if (part.kind == PartKind::kMedia) part.media.type = "image/png";
    for (size_t n = depth == 0 ? dice_.Below(3) : 0; n > 0; --n) part.content.push_back(RandomPart(1));
    return part;
  }

  json::value RandomSchema(int depth) {
    static const std::vector<std::string> kKeys = {"anyOf", "allOf", "properties", "items", "$defs", "not", "required"};
    if (depth > 4 || dice_.OneIn(8)) return RandomJson(dice_, 3);
    json::object schema;
    if (dice_.OneIn(2)) schema["type"] = dice_.OneIn(2) ? "array" : "object";
    if (dice_.OneIn(3)) schema["$ref"] = dice_.OneIn(2) ? "#/$defs/a" : "#/properties/a";
    for (size_t n = dice_.Below(4); n > 0; --n) {
      const std::string key = dice_.Pick(kKeys);
      if (dice_.OneIn(2)) {
        schema[key] = json::array({RandomSchema(depth + 1), RandomSchema(depth + 1)});
      } else {
        schema[key] = json::object({{"a", RandomSchema(depth + 1)}, {"b", RandomSchema(depth + 1)}});
      }
    }
    return schema;
  }

  Dice& dice_;
};

bool IsBlankText(const Part& part) {
  return (part.kind == PartKind::kText || part.kind == PartKind::kRefusal) && IsBlank(part.text);
}

bool IsCall(const Part& part) {
  return part.kind == PartKind::kToolCall;
}

bool IsResult(const Part& part) {
  return part.kind == PartKind::kToolResult;
}

void CheckResults(const Message& calls, const Message* results) {
  std::vector<const Part*> open;
  for (const Part& part : calls.parts)
    if (IsCall(part)) open.push_back(&part);
  if (open.empty()) return;
  ASSERT_NE(results, nullptr);
  ASSERT_EQ(results->role, Role::kTool);
  ASSERT_EQ(results->parts.size(), open.size());
  for (size_t i = 0; i < open.size(); ++i) {
    EXPECT_EQ(results->parts[i].id, open[i]->id);
    EXPECT_EQ(results->parts[i].name, open[i]->name);
    EXPECT_EQ(results->parts[i].custom, open[i]->custom);
  }
}

void CheckParts(const Message& message) {
  EXPECT_FALSE(message.parts.empty());
  for (const Part& part : message.parts) {
    EXPECT_FALSE(IsBlankText(part));
    EXPECT_EQ(IsResult(part), message.role == Role::kTool);
    EXPECT_TRUE(!IsCall(part) || message.role == Role::kAssistant);
    EXPECT_TRUE(std::none_of(part.content.begin(), part.content.end(), IsBlankText) || !IsResult(part));
  }
}

bool IsLowered(const ProviderRules& rules, Format provider) {
  return rules.system == ProviderRules::System::kFirst || provider == Format::kAnthropic || provider == Format::kGemini;
}

void CheckOrder(const ProviderRules& rules, Format provider, const std::vector<Message>& messages) {
  std::set<std::string> ids;
  const Message* before = nullptr;
  bool begun = false;
  for (size_t i = 0; i < messages.size(); ++i) {
    const Message& message = messages[i];
    CheckParts(message);
    for (const Part& part : message.parts) {
      if (!IsCall(part)) continue;
      EXPECT_TRUE(!part.id.empty() && ids.insert(part.id).second);
      if (rules.call_ids == ProviderRules::CallIds::kShort) EXPECT_EQ(part.id.size(), 9);
    }
    if (message.role == Role::kAssistant) CheckResults(message, i + 1 < messages.size() ? &messages[i + 1] : nullptr);
    if (message.role == Role::kTool) EXPECT_TRUE(before != nullptr && before->role == Role::kAssistant);
    if (before != nullptr) EXPECT_NE(before->role, message.role);
    const bool system = message.role == Role::kSystem || message.role == Role::kDeveloper;
    const bool needs_user = provider == Format::kAnthropic || provider == Format::kGemini || rules.alternate;
    if (!system && !begun && needs_user) EXPECT_EQ(message.role, Role::kUser);
    begun |= !system;
    if (system && IsLowered(rules, provider)) EXPECT_EQ(i, 0);
    if (message.role == Role::kDeveloper) EXPECT_TRUE(rules.developer);
    const bool chat = provider == Format::kChat || provider == Format::kResponses;
    if (chat && !rules.user_after_tool && message.role == Role::kUser && before != nullptr)
      EXPECT_NE(before->role, Role::kTool);
    before = &message;
  }
}

void CheckThinking(Format provider, const ModelRequest& request) {
  const bool on =
      request.reasoning.mode == Reasoning::Mode::kBudget || request.reasoning.mode == Reasoning::Mode::kAdaptive;
  for (const Message& message : request.messages) {
    for (const Part& part : message.parts) {
      if (part.kind != PartKind::kThinking || provider == Format::kChat) continue;
      EXPECT_TRUE(std::any_of(part.state.begin(), part.state.end(),
                              [&](const OpaqueState& state) { return fit::IsOwnState(provider, state.kind); }));
      EXPECT_TRUE(on || provider != Format::kAnthropic);
    }
  }
  if (provider != Format::kAnthropic || request.reasoning.mode != Reasoning::Mode::kBudget) return;
  EXPECT_GE(request.reasoning.budget.value_or(0), 1024);
  EXPECT_LT(request.reasoning.budget.value_or(0), request.max_tokens.value_or(0));
}

TEST(FitPropertyTest, EveryConversationFits) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + PropertyRuns(); ++seed) {
    SCOPED_TRACE("CCR_SEED=" + std::to_string(seed));
    Dice dice(seed);
    RandomConversation random(dice);
    const ProviderRules rules = random.Rules();
    const auto provider = static_cast<Format>(dice.Below(4));
    ModelRequest request;
    Notes notes;
    random.Fill(&request);
    const std::string given = in_words::Show(request);
    Fit(rules, provider, &request, &notes);
    CheckOrder(rules, provider, request.messages);
    CheckThinking(provider, request);
    if (rules.max_output > 0) EXPECT_LE(request.max_tokens.value_or(0), rules.max_output);
    // Text that went into a result does not begin a turn any more.
    if (!rules.user_after_tool && rules.reasoning == ProviderRules::History::kTurn) continue;
    const std::string once = in_words::Show(request);
    Fit(rules, provider, &request, &notes);
    EXPECT_EQ(in_words::Show(request), once) << "twice is not once, of " << given;
    if (HasFailure()) return;
  }
}

std::string Whole(const ModelRequest& request) {
  std::string whole = in_words::Show(request);
  for (const Tool& tool : request.tools) whole += ToJson(tool.parameters) + ToJson(tool.cache_control);
  whole += ToJson(json::value(request.own)) + ToJson(json::value(request.extra)) + request.reasoning.effort;
  whole += std::to_string(static_cast<int>(request.reasoning.mode)) +
           std::to_string(request.reasoning.budget.value_or(0)) + std::to_string(request.max_tokens.value_or(0)) +
           std::to_string(request.sampling.temperature.value_or(0)) +
           std::to_string(static_cast<int>(request.tool_choice.kind));
  return whole;
}

TEST(FitPropertyTest, SameFormatTellsWhetherItChangedAnything) {
  const uint64_t first = FirstSeed();
  uint64_t unchanged = 0;
  for (uint64_t seed = first; seed < first + PropertyRuns(); ++seed) {
    SCOPED_TRACE("CCR_SEED=" + std::to_string(seed));
    Dice dice(seed);
    RandomConversation random(dice);
    const ProviderRules rules = dice.OneIn(2) ? random.Rules() : ProviderRules();
    ModelRequest request;
    Notes notes;
    random.Fill(&request);
    const std::string given = Whole(request);
    if (!FitSame(rules, false, &request, &notes)) {
      ++unchanged;
      EXPECT_EQ(Whole(request), given);
      EXPECT_TRUE(notes.empty());
    }
    const bool forced =
        request.tool_choice.kind == ToolChoice::Kind::kAny || request.tool_choice.kind == ToolChoice::Kind::kTool;
    if (forced && rules.forced != ProviderRules::Forced::kKeep) continue;  // what was said of thinking is done
    if (rules.reasoning == ProviderRules::History::kTurn) continue;        // and turns are judged once
    const std::string once = Whole(request);
    Notes again;
    EXPECT_FALSE(FitSame(rules, false, &request, &again)) << "twice is not once: " << testing::PrintToString(again);
    EXPECT_EQ(Whole(request), once);
    if (HasFailure()) return;
  }
  EXPECT_GT(unchanged, 0);
}

}  // namespace
}  // namespace ccr::proxy

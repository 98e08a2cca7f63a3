// Reading what was written gives the same conversation, whatever it is. CCR_PROPERTY_RUNS tries more of them.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <string>

#include "proxy/formats/conversation/fit.h"
#include "proxy/formats/gemini/codec.h"
#include "tests/proxy/formats/gemini_conversations.h"
#include "tests/proxy/formats/gemini_validators.h"

namespace ccr::proxy::gemini {
namespace {

uint64_t Runs() {
  const char* const runs = std::getenv("CCR_PROPERTY_RUNS");
  return runs == nullptr ? Rounds(200) : std::strtoull(runs, nullptr, 10);
}

// State of other formats does not go to Gemini, nor thinking that has no other.
void DropForeign(ModelRequest* request) {
  for (Message& message : request->messages) {
    std::vector<Part> kept;
    for (Part& part : message.parts) {
      const bool had = !part.state.empty();
      const OpaqueState* own = FindState(part.state, StateKind::kGeminiSignature);
      part.state = own == nullptr ? OpaqueStates() : OpaqueStates{*own};
      if (part.kind == PartKind::kThinking && had && part.state.empty()) continue;
      const bool joins = !kept.empty() && kept.back().state.empty() && kept.back().kind == part.kind &&
                         (part.kind == PartKind::kText || part.kind == PartKind::kThinking) &&
                         message.role == Role::kAssistant;
      const bool signs = !kept.empty() && kept.back().state.empty() && part.kind == PartKind::kThinking &&
                         part.text.empty() &&
                         (kept.back().kind == PartKind::kText || kept.back().kind == PartKind::kThinking);
      if (joins || signs) {
        kept.back().text += part.text;
        kept.back().state = part.state;
      } else {
        kept.push_back(std::move(part));
      }
    }
    message.parts = std::move(kept);
  }
  std::erase_if(request->messages, [](const Message& message) { return message.parts.empty(); });
  for (size_t i = 1; i < request->messages.size();) {
    Message& before = request->messages[i - 1];
    if (before.role != Role::kUser || request->messages[i].role != Role::kUser) {
      ++i;
      continue;
    }
    for (Part& part : request->messages[i].parts) before.parts.push_back(std::move(part));
    request->messages.erase(request->messages.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

TEST(GeminiCodecProperty, ARequestIsReadAsItWasWritten) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Runs(); ++seed) {
    SCOPED_TRACE("CCR_SEED=" + std::to_string(seed));
    Dice dice(seed);
    ModelRequest request = GeminiConversationMaker(&dice).Request();
    Notes notes;
    const auto written = gemini::Codec().WriteRequest(request, "gemini-2.5-flash-x", &notes);
    ASSERT_TRUE(written.ok()) << written.status();
    const auto read = gemini::Codec().ReadRequest(written->body, &notes);
    ASSERT_TRUE(read.ok()) << read.status() << written->body;
    DropForeign(&request);
    if (!request.reasoning.effort.empty()) {
      request.reasoning.budget = request.reasoning.effort == "low" ? 1024 : 24576;
      request.reasoning.mode = Reasoning::Mode::kBudget;
      request.reasoning.effort.clear();
    }
    ASSERT_EQ(ShowRequest(*read), ShowRequest(request)) << written->body;
  }
}

TEST(GeminiCodecProperty, AnAnswerIsReadAsItWasWritten) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Runs(); ++seed) {
    SCOPED_TRACE("CCR_SEED=" + std::to_string(seed));
    Dice dice(seed);
    ModelAnswer answer;
    std::vector<Part> calls;
    answer.id = "r1";
    answer.model = "m";
    answer.parts = GeminiConversationMaker(&dice).ModelParts(&calls);
    for (Part& part : answer.parts)
      if (part.kind == PartKind::kToolCall) part.id = "gid_" + part.id;
    answer.usage = {100 + dice.Below(10), dice.Below(50), 0, 20 + dice.Below(10), dice.Below(20)};
    answer.stop.cause = dice.OneIn(3) ? StopCause::kMaxTokens : calls.empty() ? StopCause::kEnd : StopCause::kToolUse;
    Notes notes;
    const std::string body = gemini::Codec().WriteAnswer(answer, {});
    const auto read = gemini::Codec().ReadAnswer(body, &notes);
    ASSERT_TRUE(read.ok()) << read.status() << body;
    ASSERT_EQ(ShowAnswer(*read), ShowAnswer(answer)) << body;

    AnswerCollector collector;
    std::string stream;
    const auto writer = gemini::Codec().WriteStream({});
    writer->WriteTo(&stream);
    const std::string expected = ShowAnswer(answer);
    Replay(std::move(answer), writer.get());
    const auto reader = gemini::Codec().ReadStream();
    for (size_t at = 0; at < stream.size();) {
      const size_t size = 1 + dice.Below(dice.OneIn(2) ? 1 : 300);
      reader->Feed(std::string_view(stream).substr(at, size), &collector);
      at += size;
    }
    reader->Finish(false, &collector);
    ASSERT_TRUE(collector.ended()) << stream;
    ASSERT_EQ(ShowAnswer(collector.Take()), expected) << stream;
  }
}

// What the model said comes back in the next request, whole or in the pieces of a stream.
TEST(GeminiCodecProperty, AClientReturnsWhatItWasTold) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + Runs(); ++seed) {
    SCOPED_TRACE("CCR_SEED=" + std::to_string(seed));
    Dice dice(seed);
    ModelAnswer answer;
    answer.parts = GeminiConversationMaker(&dice).ModelParts(nullptr);
    const std::string expected = "user\n  text(hi)\nassistant\n  " + [&] {
      std::string shown;
      for (const Part& part : answer.parts) shown += (shown.empty() ? "" : "\n  ") + ShowPart(part);
      return shown;
    }();
    const bool as_array = dice.OneIn(2);
    AnswerContext context;
    context.json_array = as_array;
    std::string stream;
    const auto writer = gemini::Codec().WriteStream(context);
    writer->WriteTo(&stream);
    const std::string whole = gemini::Codec().WriteAnswer(answer, {});
    Replay(std::move(answer), writer.get());
    json::array contents{{{"parts", json::array{{{"text", "hi"}}}}}};
    json::array pieces = contents;
    contents.push_back(ParseJson(whole)->at("candidates").at(0).at("content"));
    if (as_array) {
      const json::value parsed = ParseJson(stream).value();
      for (const json::value& piece : parsed.as_array()) {
        pieces.push_back(piece.at("candidates").at(0).at("content"));
      }
    } else {
      for (size_t at = 0; (at = stream.find("data: ", at)) != stream.npos;) {
        const size_t end = stream.find("\n\n", at);
        pieces.push_back(ParseJson(stream.substr(at + 6, end - at - 6))->at("candidates").at(0).at("content"));
        at = end;
      }
    }
    for (const json::array& history : {contents, pieces}) {
      Notes notes;
      const auto request = gemini::Codec().ReadRequest(ToJson(json::object{{"contents", history}}), &notes);
      ASSERT_TRUE(request.ok());
      ASSERT_EQ(ShowMessages(*request), expected) << ToJson(history);
    }
  }
}

// Something else in some place of it.
void Mutate(json::value* value, Dice& dice) {
  if (dice.OneIn(6) || (!value->is_object() && !value->is_array())) {
    *value = RandomJson(dice);
    return;
  }
  const size_t size = value->is_object() ? value->get_object().size() : value->get_array().size();
  if (size == 0) return;
  const size_t n = dice.Below(size);
  if (value->is_array()) {
    json::array& list = value->get_array();
    if (dice.OneIn(8)) list.push_back(json::value(list[n]));
    if (dice.OneIn(8)) list.erase(list.begin() + static_cast<std::ptrdiff_t>(n));
    return list.empty() ? void() : Mutate(&list[n % list.size()], dice);
  }
  json::key_value_pair& member = value->get_object().begin()[n];
  const std::string name = member.key();
  if (dice.OneIn(8)) {
    value->get_object().erase(name);
  } else {
    Mutate(&member.value(), dice);
  }
}

// Whatever a client sends is refused, or becomes a request that is one; with Fit() one that Gemini takes.
TEST(GeminiCodecProperty, WhateverIsReadIsWrittenWell) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + 2 * Runs(); ++seed) {
    SCOPED_TRACE("CCR_SEED=" + std::to_string(seed));
    Dice dice(seed);
    Notes notes;
    json::value body = ParseJson(gemini::Codec()
                                     .WriteRequest(GeminiConversationMaker(&dice).Request(), "gemini-2.5-pro", &notes)
                                     .value()
                                     .body)
                           .value();
    for (size_t n = 1 + dice.Below(8); n > 0; --n) Mutate(&body, dice);
    const std::string text = ToJson(body);
    auto request = gemini::Codec().ReadRequest(text, &notes);
    if (!request.ok()) {
      ASSERT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument) << text;
      continue;
    }
    const auto own = gemini::Codec().WriteRequest(*request, "gemini-3-pro", &notes);
    ASSERT_TRUE(own.ok() && ParseJson(own->body).ok()) << text;
    request->origin = Format::kChat;
    for (Message& message : request->messages)
      for (Part& part : message.parts) part.state.clear();
    Fit(ProviderRules(), Format::kGemini, &*request, &notes);
    const auto foreign = gemini::Codec().WriteRequest(*request, "gemini-3-pro", &notes);
    ASSERT_TRUE(foreign.ok()) << text;
    ASSERT_EQ(CheckGeminiRequest(foreign->body), "") << text;
  }
}

// Whatever an upstream sends is an answer or an error, never both, and what is written of it is JSON.
TEST(GeminiCodecProperty, WhateverAnswersIsWrittenWell) {
  const uint64_t first = FirstSeed();
  for (uint64_t seed = first; seed < first + 2 * Runs(); ++seed) {
    SCOPED_TRACE("CCR_SEED=" + std::to_string(seed));
    Dice dice(seed);
    Notes notes;
    ModelAnswer answer;
    answer.parts = GeminiConversationMaker(&dice).ModelParts(nullptr);
    json::value body = ParseJson(gemini::Codec().WriteAnswer(answer, {})).value();
    for (size_t n = 1 + dice.Below(8); n > 0; --n) Mutate(&body, dice);
    const std::string text = ToJson(body);
    const auto whole = gemini::Codec().ReadAnswer(text, &notes);
    if (whole.ok()) {
      const std::string written = gemini::Codec().WriteAnswer(*whole, {});
      ASSERT_TRUE(ParseJson(written).ok()) << written;
    }
    std::string stream;
    AnswerContext context;
    context.json_array = true;
    const auto writer = gemini::Codec().WriteStream(context);
    writer->WriteTo(&stream);
    const auto reader = gemini::Codec().ReadStream();
    for (int i = 0; i < 3; ++i) reader->Feed("data: " + text + "\n\n", writer.get());
    reader->Finish(dice.OneIn(2), writer.get());
    const auto events = ParseJson(stream);
    ASSERT_TRUE(events.ok() && events->is_array()) << text << stream;
    const json::object& last = events->get_array().back().as_object();
    ASSERT_TRUE(last.contains("error") || last.at("candidates").at(0).as_object().contains("finishReason")) << stream;
  }
}

}  // namespace
}  // namespace ccr::proxy::gemini

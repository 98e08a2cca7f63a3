// Custom tools on their way to formats that know them and to those that do not.
#include "proxy/formats/conversation/custom_tool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "pairs.h"

namespace ccr::proxy {
namespace {

constexpr char kChatBody[] =
    R"({"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"custom","custom":{"name":"patch",)"
    R"("description":"Edits.","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"start: x"}}}}]})";
constexpr char kResponsesBody[] = R"({"input":"hi","tools":[{"type":"custom","name":"patch","description":"Edits.",)"
                                  R"("format":{"type":"grammar","syntax":"lark","definition":"start: x"}}]})";

json::value ToolsOf(Format client, Format provider) {
  const std::string_view body = client == Format::kChat ? kChatBody : kResponsesBody;
  Notes notes;
  const absl::StatusOr<TranslatedRequest> request = MakePair(client, provider)->Request(body, "m", &notes);
  if (!request.ok()) return json::value();
  return json::parse(request->body).at("tools");
}

TEST(CustomTools, AreFunctionsWithTheGrammarInWords) {
  const std::string description = "Edits.\n\nThe input follows this grammar:\nstart: x";
  for (const Format client : {Format::kChat, Format::kResponses}) {
    const json::value claude = ToolsOf(client, Format::kAnthropic).at(0);
    EXPECT_EQ(claude.at("description").as_string(), description);
    EXPECT_EQ(claude.at("input_schema"), json::parse(kCustomToolSchema));
    const json::value gemini = ToolsOf(client, Format::kGemini).at(0).at("functionDeclarations").at(0);
    EXPECT_EQ(gemini.at("description").as_string(), description);
    EXPECT_EQ(gemini.at("parameters").at("properties").at("input").at("type").as_string(), "STRING");
    EXPECT_EQ(gemini.at("parameters").at("required").at(0).as_string(), "input");
  }
  const json::value chat = ToolsOf(Format::kResponses, Format::kChat).at(0).at("function");
  EXPECT_EQ(chat.at("description").as_string(), description);
  EXPECT_EQ(chat.at("parameters"), json::parse(kCustomToolSchema));
}

TEST(CustomTools, KeepTheirGrammarForResponses) {
  EXPECT_EQ(ToolsOf(Format::kChat, Format::kResponses),
            json::parse(R"([{"type":"custom","name":"patch","description":"Edits.",)"
                        R"("format":{"type":"grammar","syntax":"lark","definition":"start: x"}}])"));
}

TEST(CustomTools, MayTakeAnyText) {
  Tool tool;
  tool.kind = Tool::Kind::kCustom;
  EXPECT_EQ(CustomToolDescription(tool), "");
  tool.description = "d";
  tool.own = {{"custom", {{"format", {{"type", "text"}}}}}};
  EXPECT_EQ(CustomToolDescription(tool), "d");
}

TEST(CustomTools, InputOfAFunctionsArguments) {
  const struct {
    std::string arguments, input;
  } rows[] = {{R"({"input":"a\n"})", "a\n"},
              {R"({"patch":"a"})", "a"},
              {R"({"input":{"a":1}})", R"({"a":1})"},
              {"{}", ""},
              {"a", "a"},
              {R"({"a":1,"b":2})", R"({"a":1,"b":2})"},
              {R"({"input":"a)", R"({"input":"a)"}};
  for (const auto& row : rows) EXPECT_EQ(CustomInput(row.arguments), row.input);
}

}  // namespace
}  // namespace ccr::proxy

// Answers and errors of OpenAI's Responses API.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "proxy/formats/json_util.h"
#include "proxy/formats/responses/codec.h"

namespace ccr::proxy {
namespace {

ModelAnswer ReadResponse(std::string_view body, Notes* notes = nullptr) {
  Notes own;
  absl::StatusOr<ModelAnswer> answer = responses::Codec().ReadAnswer(body, notes == nullptr ? &own : notes);
  if (!answer.ok()) {
    ADD_FAILURE() << answer.status().message();
    return {};
  }
  return std::move(*answer);
}

std::string ResponseError(std::string_view body) {
  Notes notes;
  const absl::StatusOr<ModelAnswer> answer = responses::Codec().ReadAnswer(body, &notes);
  return answer.ok() ? "" : std::string(answer.status().message());
}

Part PartOf(PartKind kind, std::string_view text) {
  Part part;
  part.kind = kind;
  part.text = text;
  return part;
}

Part CallOf(std::string_view id, std::string_view name, std::string_view arguments) {
  Part part = PartOf(PartKind::kToolCall, arguments);
  part.id = id;
  part.name = name;
  return part;
}

json::object Written(const ModelAnswer& answer, const AnswerContext& context = {}) {
  const absl::StatusOr<json::value> parsed = ParseJson(responses::Codec().WriteAnswer(answer, context));
  EXPECT_TRUE(parsed.ok());
  return parsed.ok() ? parsed->as_object() : json::object();
}

// The items of the output without their ids.
std::string Items(const json::object& response) {
  json::array items = *FindArray(response, "output");
  for (json::value& item : items) item.as_object().stable_erase("id");
  return ToJson(items);
}

TEST(ResponsesAnswer, IsRead) {
  const ModelAnswer answer =
      ReadResponse(R"({"id":"resp_1","object":"response","status":"completed","error":null,"model":"gpt-5",
    "output":[
      {"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"E"},
      {"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[
        {"type":"output_text","text":"Hi","annotations":[],"logprobs":[]},{"type":"output_text","text":"","annotations":[]}]},
      {"id":"ws_1","type":"web_search_call","status":"completed"},
      {"id":"ig_1","type":"image_generation_call","result":"QQ==","output_format":"webp"},
      {"id":"fc_1","type":"function_call","call_id":"call_1","name":"f","arguments":"{\"a\":1}"},
      {"id":"ctc_1","type":"custom_tool_call","call_id":"call_2","name":"c","input":"text"}],
    "usage":{"input_tokens":100,"input_tokens_details":{"cached_tokens":60,"cache_write_tokens":5},"output_tokens":20,"output_tokens_details":{"reasoning_tokens":8},"total_tokens":120}})");
  EXPECT_EQ(answer.id, "resp_1");
  EXPECT_EQ(answer.model, "gpt-5");
  ASSERT_EQ(answer.parts.size(), 6u);
  EXPECT_EQ(answer.parts[0].kind, PartKind::kThinking);
  EXPECT_EQ(answer.parts[0].text, "hm");
  EXPECT_EQ(answer.parts[0].state,
            (OpaqueStates{{StateKind::kResponsesReasoning, R"({"id":"rs_1","encrypted_content":"E"})"}}));
  EXPECT_EQ(answer.parts[1].text, "Hi");
  EXPECT_EQ(answer.parts[2].kind, PartKind::kOther);
  EXPECT_EQ(FindText(answer.parts[2].own, "id"), "ws_1");
  EXPECT_EQ(answer.parts[3].media, (Media{Media::Source::kBase64, "image/webp", "QQ==", "", ""}));
  EXPECT_EQ(answer.parts[4].id, "call_1");
  EXPECT_EQ(answer.parts[4].text, R"({"a":1})");
  EXPECT_TRUE(answer.parts[5].custom);
  EXPECT_EQ(answer.parts[5].text, "text");
  EXPECT_EQ(answer.stop.cause, StopCause::kToolUse);
  EXPECT_EQ(answer.usage, (Usage{100, 60, 5, 20, 8}));
}

TEST(ResponsesAnswer, WhyItEndedIsRead) {
  const std::pair<std::string_view, StopCause> cases[] = {
      {R"("status":"completed","output":[])", StopCause::kEnd},
      {R"("output":[{"type":"message","content":[{"type":"refusal","refusal":"no"}]}])", StopCause::kRefusal},
      {R"("status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[{"type":"function_call","name":"f"}])",
       StopCause::kMaxTokens},
      {R"("status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[])", StopCause::kRefusal},
      {R"("status":"incomplete","output":[])", StopCause::kMaxTokens},
  };
  for (const auto& [body, cause] : cases) {
    EXPECT_EQ(ReadResponse("{" + std::string(body) + "}").stop.cause, cause) << body;
  }
}

TEST(ResponsesAnswer, WhatIsNoAnswerIsRefused) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"{", "the upstream's answer is not valid JSON"},
      {"[]", "the upstream's answer is no JSON object"},
      {"{}", "the upstream's answer is no response: it has no output"},
      {R"({"status":"failed","output":[],"error":{"code":"server_error","message":"broken"}})", "broken"},
      {R"({"status":"cancelled","output":[]})", "the upstream cancelled its answer"},
      {R"({"output":[{"type":"function_call","arguments":"{}"}]})", "the upstream sent a tool call without a name"},
  };
  for (const auto& [body, error] : cases) EXPECT_EQ(ResponseError(body).substr(0, error.size()), error) << body;
}

TEST(ResponsesAnswer, IsWritten) {
  ModelAnswer answer;
  answer.id = "msg_01";
  answer.model = "claude";
  answer.parts = {PartOf(PartKind::kThinking, "hm"), PartOf(PartKind::kText, "Hi"), CallOf("toolu_1", "f", "")};
  answer.parts[0].state = {{StateKind::kAnthropicSignature, "sig"}};
  answer.stop.cause = StopCause::kToolUse;
  answer.usage = {100, 60, 5, 20, 8};
  AnswerContext context;
  context.created = 1700000000;
  context.model = "named";
  const json::object response = Written(answer, context);
  EXPECT_TRUE(FindText(response, "id").starts_with("resp_"));
  EXPECT_EQ(FindText(response, "object"), "response");
  EXPECT_EQ(FindText(response, "model"), "named");
  EXPECT_EQ(FindText(response, "status"), "completed");
  EXPECT_EQ(FindUint(response, "created_at"), 1700000000u);
  for (const std::string_view member : {"error", "incomplete_details", "instructions", "temperature", "top_p",
                                        "metadata", "parallel_tool_calls", "tool_choice", "tools"}) {
    EXPECT_TRUE(response.contains({member.data(), member.size()})) << member;
  }
  EXPECT_EQ(
      ToJson(response.at("usage")),
      R"({"input_tokens":100,"input_tokens_details":{"cached_tokens":60,"cache_write_tokens":5},"output_tokens":20,"output_tokens_details":{"reasoning_tokens":8},"total_tokens":120})");
  const json::array& output = *FindArray(response, "output");
  ASSERT_EQ(output.size(), 3u);
  EXPECT_TRUE(FindText(output[0].as_object(), "id").starts_with("rs_"));
  EXPECT_TRUE(FindText(output[1].as_object(), "id").starts_with("msg_"));
  EXPECT_TRUE(FindText(output[2].as_object(), "id").starts_with("fc_"));
  const std::string call_id(FindText(output[2].as_object(), "call_id"));
  EXPECT_TRUE(call_id.starts_with("toolu_1")) << call_id;
  EXPECT_EQ(
      Items(response),
      R"([{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":")" +
          PackStates(answer.parts[0].state) +
          R"("},{"type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"Hi"}]},)"
          R"({"type":"function_call","status":"completed","call_id":")" +
          call_id + R"(","name":"f","arguments":"{}"}])");
}

TEST(ResponsesAnswer, TextsBesideOneAnotherAreOneMessage) {
  const auto texts = [](const ModelAnswer& answer) {
    std::string texts;
    const json::object response = Written(answer);
    for (const json::value& item : *FindArray(response, "output")) {
      if (!texts.empty()) texts += '|';
      const json::array* content = FindArray(item.as_object(), "content");
      if (content == nullptr) texts += FindText(item.as_object(), "type");
      for (size_t i = 0; content != nullptr && i < content->size(); ++i) {
        const json::object& part = (*content)[i].as_object();
        texts.append(FindText(part, "text")).append(FindText(part, "refusal"));
      }
    }
    return texts;
  };
  ModelAnswer answer;
  answer.parts = {
      PartOf(PartKind::kText, "Based on"),  PartOf(PartKind::kText, ""),       PartOf(PartKind::kThinking, ""),
      PartOf(PartKind::kText, " the page"), PartOf(PartKind::kText, " done."), CallOf("t", "f", ""),
      PartOf(PartKind::kText, "a"),         PartOf(PartKind::kThinking, "hm"), PartOf(PartKind::kText, "b"),
      PartOf(PartKind::kRefusal, "c"),      PartOf(PartKind::kRefusal, "d")};
  EXPECT_EQ(texts(answer), "Based on the page done.|function_call|a|reasoning|b|cd");
}

TEST(ResponsesAnswer, TheEndIsWritten) {
  struct Case {
    StopCause cause;
    bool refused;
    std::string_view explanation, status, reason;
  };
  const Case cases[] = {
      {StopCause::kEnd, false, "", "completed", ""},
      {StopCause::kPause, false, "", "completed", ""},
      {StopCause::kUnknown, false, "", "completed", ""},
      {StopCause::kMaxTokens, false, "", "incomplete", "max_output_tokens"},
      {StopCause::kContext, false, "", "incomplete", "max_output_tokens"},
      {StopCause::kRefusal, false, "", "incomplete", "content_filter"},
      {StopCause::kRefusal, true, "", "completed", ""},
      {StopCause::kRefusal, false, "why", "completed", ""},
  };
  for (const Case& c : cases) {
    ModelAnswer answer;
    if (c.refused) answer.parts = {PartOf(PartKind::kRefusal, "no")};
    answer.stop = {c.cause, "", std::string(c.explanation)};
    const json::object response = Written(answer);
    EXPECT_EQ(FindText(response, "status"), c.status);
    const json::object* details = FindObject(response, "incomplete_details");
    EXPECT_EQ(details == nullptr ? "" : FindText(*details, "reason"), c.reason);
    if (!c.explanation.empty()) {
      EXPECT_EQ(
          Items(response),
          R"([{"type":"message","status":"completed","role":"assistant","content":[{"type":"refusal","refusal":"why"}]}])");
    }
  }
}

TEST(ResponsesAnswer, ACustomToolsInputIsAText) {
  AnswerContext context;
  context.custom_tools = {"apply_patch"};
  const std::pair<std::string_view, std::string_view> cases[] = {
      {R"({"input":"*** Begin"})", "*** Begin"},
      {R"({"patch":"p"})", "p"},
      {"no JSON", "no JSON"},
      {R"({"a":1,"b":2})", R"({"a":1,"b":2})"},
      {R"({"input":7})", "7"},
      {"", ""},
      {"{}", ""},
  };
  for (const auto& [arguments, input] : cases) {
    ModelAnswer answer;
    answer.parts = {CallOf("c", "apply_patch", arguments)};
    const json::object response = Written(answer, context);
    const json::object& item = FindArray(response, "output")->front().as_object();
    EXPECT_EQ(FindText(item, "type"), "custom_tool_call");
    EXPECT_TRUE(FindText(item, "id").starts_with("ctc_"));
    EXPECT_EQ(FindText(item, "input"), input) << arguments;
  }
}

TEST(ResponsesAnswer, AToolOfANamespaceIsNamedInTwoParts) {
  AnswerContext context;
  context.grouped_tools["mcp__files__read"] = {"mcp__files__", "read"};
  ModelAnswer answer;
  answer.parts = {CallOf("c", "mcp__files__read", "{}")};
  const json::object response = Written(answer, context);
  const json::object& item = FindArray(response, "output")->front().as_object();
  EXPECT_EQ(FindText(item, "name"), "read");
  EXPECT_EQ(FindText(item, "namespace"), "mcp__files__");
}

// A provider refuses encrypted content that was made for an item of another id.
TEST(ResponsesAnswer, ReasoningOfThisFormatKeepsItsId) {
  ModelAnswer answer;
  answer.parts = {PartOf(PartKind::kThinking, "")};
  answer.parts[0].state = {{StateKind::kResponsesReasoning, R"({"id":"rs_1","encrypted_content":"E"})"}};
  const json::object response = Written(answer);
  EXPECT_EQ(ToJson(*FindArray(response, "output")),
            R"([{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"E"}])");
}

TEST(ResponsesAnswer, EqualIdsOfAProviderDifferBetweenRequests) {
  ModelAnswer answer;
  answer.parts = {CallOf("0", "f", "{}")};
  AnswerContext one, two;
  one.id_seed = 1;
  two.id_seed = 2;
  EXPECT_NE(Items(Written(answer, one)), Items(Written(answer, two)));
  EXPECT_EQ(Items(Written(answer, one)), Items(Written(answer, one)));
}

TEST(ResponsesErrors, AreRead) {
  struct Case {
    int status;
    std::string_view body;
    ErrorKind kind;
    std::string_view message;
  };
  const Case cases[] = {
      {400, R"({"error":{"message":"bad","type":"invalid_request_error","param":"x","code":null}})",
       ErrorKind::kInvalid, "bad"},
      {400, R"({"error":{"message":"long","type":"invalid_request_error","code":"context_length_exceeded"}})",
       ErrorKind::kContext, "long"},
      {400, R"({"error":{"message":"Your input exceeds the context window of this model."}})", ErrorKind::kContext,
       "Your input exceeds the context window of this model."},
      {401, R"({"error":{"message":"key","type":"invalid_request_error","code":"invalid_api_key"}})", ErrorKind::kAuth,
       "key"},
      {404, R"({"error":{"message":"none","type":"invalid_request_error","code":"model_not_found"}})",
       ErrorKind::kNotFound, "none"},
      {429, R"({"error":{"message":"slow","type":"tokens","code":"rate_limit_exceeded"}})", ErrorKind::kRateLimited,
       "slow"},
      {429, R"({"error":{"message":"paid","type":"insufficient_quota","code":"insufficient_quota"}})",
       ErrorKind::kQuota, "paid"},
      {503, R"({"error":{"message":"busy","type":"server_error"}})", ErrorKind::kOverloaded, "busy"},
      {503, "no JSON", ErrorKind::kOverloaded, "no JSON"},
      {500, "", ErrorKind::kUpstream, "the upstream answered with status 500"},
      {413, R"({"detail":"big"})", ErrorKind::kTooLarge, "big"},
      {504, R"({"error":"late"})", ErrorKind::kTimeout, "late"},
  };
  for (const Case& c : cases) {
    const AnswerError error = responses::Codec().ReadError(c.status, c.body);
    EXPECT_EQ(error.kind, c.kind) << c.body;
    EXPECT_EQ(error.message, c.message);
    EXPECT_EQ(error.status, c.status);
  }
  const AnswerError context = responses::Codec().ReadError(
      400,
      R"({"error":{"message":"This model's maximum context length is 131072 tokens. However, you requested 137839 tokens (129647 in the messages, 8192 in the completion)."}})");
  EXPECT_EQ(context.kind, ErrorKind::kContext);
  EXPECT_EQ(context.limit, 131072u);
  EXPECT_EQ(context.prompt_tokens, 129647u);
  EXPECT_EQ(context.asked, 8192u);
}

TEST(ResponsesErrors, AreWritten) {
  AnswerError error;
  error.kind = ErrorKind::kContext;
  error.message = "too \"long\"";
  EXPECT_EQ(
      responses::Codec().WriteError(error),
      R"({"error":{"message":"too \"long\"","type":"invalid_request_error","param":null,"code":"context_length_exceeded"}})");
  error.type = "invalid_request_error";
  error.code = "unknown_parameter";
  error.kind = ErrorKind::kInvalid;
  error.message = "x";
  EXPECT_EQ(responses::Codec().WriteError(error),
            R"({"error":{"message":"x","type":"invalid_request_error","param":null,"code":"unknown_parameter"}})");
  error.type.clear();
  error.code.clear();
  error.kind = ErrorKind::kUpstream;
  EXPECT_EQ(responses::Codec().WriteError(error),
            R"({"error":{"message":"x","type":"server_error","param":null,"code":null}})");
}

}  // namespace
}  // namespace ccr::proxy

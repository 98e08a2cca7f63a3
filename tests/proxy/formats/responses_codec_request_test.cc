// Requests of OpenAI's Responses API: what Codex, the SDK and the Agents SDK send, and what providers get.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/formats/json_util.h"
#include "proxy/formats/responses/codec.h"

namespace ccr::proxy {
namespace {

ModelRequest Read(std::string_view body, Notes* notes = nullptr) {
  Notes own;
  absl::StatusOr<ModelRequest> request = responses::Codec().ReadRequest(body, notes == nullptr ? &own : notes);
  if (!request.ok()) {
    ADD_FAILURE() << request.status().message();
    return {};
  }
  return std::move(*request);
}

std::string Error(std::string_view body) {
  Notes notes;
  const absl::StatusOr<ModelRequest> request = responses::Codec().ReadRequest(body, &notes);
  return request.ok() ? "" : std::string(request.status().message());
}

std::string Write(const ModelRequest& request, Notes* notes = nullptr) {
  Notes own;
  const absl::StatusOr<WrittenRequest> written =
      responses::Codec().WriteRequest(request, "m", notes == nullptr ? &own : notes);
  EXPECT_TRUE(written.ok());
  EXPECT_TRUE(ParseJson(written->body).ok()) << written->body;
  return written->body;
}

std::string Again(std::string_view body) {
  return Write(Read(body));
}

// As if it had been read from another format.
std::string Elsewhere(std::string_view body, Notes* notes = nullptr) {
  ModelRequest request = Read(body);
  request.origin = Format::kAnthropic;
  return Write(request, notes);
}

// A short picture of a conversation: one line per message, "role: part | part".
std::string Picture(const std::vector<Part>& parts) {
  std::string out;
  for (const Part& part : parts) {
    if (!out.empty()) out += " | ";
    switch (part.kind) {
      case PartKind::kText:
        out += part.text;
        break;
      case PartKind::kThinking:
        out += "thinks(" + part.text + ")";
        break;
      case PartKind::kRefusal:
        out += "refuses(" + part.text + ")";
        break;
      case PartKind::kMedia:
        out += "media(" + part.media.type + "," + part.media.data + ")";
        break;
      case PartKind::kToolCall:
        out += std::string(part.custom ? "custom" : "call") + "(" + part.id + "," + part.name + "," + part.text + ")";
        break;
      case PartKind::kToolResult:
        out += std::string(part.custom ? "custom" : "") + "result(" + part.id + "," + Picture(part.content) + ")";
        break;
      case PartKind::kOther:
        out += "other(" + std::string(FindText(part.own, "type")) + ")";
        break;
    }
    for (const OpaqueState& state : part.state) out += "+" + state.data;
  }
  return out;
}

std::string Picture(const ModelRequest& request) {
  std::string out;
  for (const Message& message : request.messages) {
    constexpr std::string_view kRoles[] = {"system", "developer", "user", "assistant", "tool"};
    out += std::string(kRoles[static_cast<size_t>(message.role)]) + ": " + Picture(message.parts) + "\n";
  }
  return out;
}

TEST(ResponsesRequest, ATextIsOneMessageOfTheUser) {
  EXPECT_EQ(Picture(Read(R"({"model":"m","input":"hi"})")), "user: hi\n");
  EXPECT_EQ(Picture(Read(R"({"model":"m","instructions":"be brief","input":"hi"})")), "system: be brief\nuser: hi\n");
}

constexpr std::string_view kCodex = R"({
  "model":"gpt-5","instructions":"You are Codex.",
  "input":[
    {"type":"message","role":"developer","content":[{"type":"input_text","text":"<permissions>"}]},
    {"type":"message","role":"user","content":[{"type":"input_text","text":"fix it"},
      {"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"high"}]},
    {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Look"},{"type":"summary_text","text":"Then fix"}],
      "content":null,"encrypted_content":"gAAA"},
    {"type":"message","role":"assistant","content":[{"type":"output_text","text":"On it."}],"phase":"commentary"},
    {"type":"function_call","name":"shell","arguments":"{\"command\":[\"ls\"]}","call_id":"call_1"},
    {"type":"custom_tool_call","status":"completed","call_id":"call_2","name":"apply_patch","input":"*** Begin Patch"},
    {"type":"function_call_output","call_id":"call_1","output":"a.txt"},
    {"type":"custom_tool_call_output","call_id":"call_2","output":[{"type":"input_text","text":"Done"}]},
    {"type":"message","role":"user","content":[{"type":"input_text","text":"go on"}]}],
  "tools":[
    {"type":"function","name":"shell","description":"Runs","strict":false,"parameters":{"type":"object","properties":{"command":{"type":"array","items":{"type":"string"}}}}},
    {"type":"custom","name":"apply_patch","description":"Patches","format":{"type":"grammar","syntax":"lark","definition":"start: x"}},
    {"type":"web_search","external_web_access":true},
    {"type":"namespace","name":"mcp__files__","description":"Files","tools":[
      {"type":"function","name":"read","strict":false,"parameters":{"type":"object","properties":{}}}]},
    {"type":"local_shell"}],
  "tool_choice":"auto","parallel_tool_calls":true,"reasoning":{"effort":"high","summary":"auto"},
  "store":false,"stream":true,"include":["reasoning.encrypted_content"],"prompt_cache_key":"k","text":{"verbosity":"low"},
  "client_metadata":{"a":"b"}})";

TEST(ResponsesRequest, CodexIsRead) {
  const ModelRequest request = Read(kCodex);
  EXPECT_EQ(Picture(request),
            "system: You are Codex.\n"
            "developer: <permissions>\n"
            "user: fix it | media(image/png,AAAA)\n"
            "assistant: thinks(Look\n\nThen fix)+{\"id\":\"rs_1\",\"encrypted_content\":\"gAAA\"} | On it. | "
            "call(call_1,shell,{\"command\":[\"ls\"]}) | custom(call_2,apply_patch,*** Begin Patch)\n"
            "tool: result(call_1,a.txt) | customresult(call_2,Done)\n"
            "user: go on\n");
  ASSERT_EQ(request.tools.size(), 5u);
  EXPECT_EQ(request.tools[0].kind, Tool::Kind::kFunction);
  EXPECT_EQ(request.tools[0].strict, false);
  EXPECT_EQ(request.tools[1].kind, Tool::Kind::kCustom);
  EXPECT_EQ(request.tools[2].kind, Tool::Kind::kWebSearch);
  EXPECT_EQ(request.tools[3].name, "mcp__files__read");
  EXPECT_EQ(request.tools[3].group, "mcp__files__");
  EXPECT_EQ(request.tools[3].name_in_group, "read");
  EXPECT_EQ(request.tools[4].kind, Tool::Kind::kOther);
  EXPECT_EQ(request.tool_choice.kind, ToolChoice::Kind::kAuto);
  EXPECT_EQ(request.tool_choice.parallel, true);
  EXPECT_EQ(request.reasoning.effort, "high");
  EXPECT_TRUE(request.reasoning.include_text);
  EXPECT_TRUE(request.reasoning.include_encrypted);
  EXPECT_TRUE(request.stream);
  EXPECT_EQ(request.cache_key, "k");
  AnswerContext context;
  AddTools(request, &context);
  EXPECT_EQ(context.custom_tools, std::vector<std::string>{"apply_patch"});
  EXPECT_EQ(context.grouped_tools.at("mcp__files__read").name, "read");
}

TEST(ResponsesRequest, CodexComesBackAsItWas) {
  EXPECT_EQ(
      Again(kCodex),
      R"({"model":"m","instructions":"You are Codex.","input":[)"
      R"({"type":"message","role":"developer","content":[{"type":"input_text","text":"<permissions>"}]},)"
      R"({"type":"message","role":"user","content":[{"type":"input_text","text":"fix it"},)"
      R"({"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"high"}]},)"
      R"({"type":"reasoning","summary":[{"type":"summary_text","text":"Look"},{"type":"summary_text","text":"Then fix"}],"id":"rs_1","encrypted_content":"gAAA"},)"
      R"({"type":"message","role":"assistant","content":[{"type":"output_text","text":"On it."}],"phase":"commentary"},)"
      R"({"type":"function_call","call_id":"call_1","name":"shell","arguments":"{\"command\":[\"ls\"]}"},)"
      R"({"type":"custom_tool_call","call_id":"call_2","name":"apply_patch","input":"*** Begin Patch"},)"
      R"({"type":"function_call_output","call_id":"call_1","output":"a.txt"},)"
      R"({"type":"custom_tool_call_output","call_id":"call_2","output":"Done"},)"
      R"({"type":"message","role":"user","content":[{"type":"input_text","text":"go on"}]}],)"
      R"("tools":[{"type":"function","name":"shell","description":"Runs","parameters":{"type":"object","properties":{"command":{"type":"array","items":{"type":"string"}}}},"strict":false},)"
      R"({"type":"custom","name":"apply_patch","description":"Patches","format":{"type":"grammar","syntax":"lark","definition":"start: x"}},)"
      R"({"type":"web_search","external_web_access":true},)"
      R"({"type":"namespace","name":"mcp__files__","description":"Files","tools":[{"type":"function","name":"read","parameters":{"type":"object","properties":{}},"strict":false}]},)"
      R"({"type":"local_shell"}],)"
      R"("tool_choice":"auto","parallel_tool_calls":true,"reasoning":{"effort":"high","summary":"auto"},"text":{"verbosity":"low"},)"
      R"("prompt_cache_key":"k","include":["reasoning.encrypted_content"],"store":false,"stream":true,"client_metadata":{"a":"b"}})");
}

TEST(ResponsesRequest, MembersOfItsOwnStayInItsFormat) {
  Notes notes;
  const std::string body = Elsewhere(kCodex, &notes);
  for (const std::string_view own :
       {"client_metadata", "verbosity", "external_web_access", "local_shell", "namespace", "phase"}) {
    EXPECT_EQ(body.find(own), body.npos) << own;
  }
  EXPECT_NE(body.find(R"("name":"mcp__files__read")"), body.npos);
  EXPECT_NE(body.find(R"({"type":"web_search"})"), body.npos);
  EXPECT_NE(body.find(R"("format":{"type":"grammar","syntax":"lark","definition":"start: x"})"), body.npos);
  EXPECT_EQ(notes, Notes({"tools: local_shell dropped"}));
}

TEST(ResponsesRequest, WhatNeedsAStoreIsRefused) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {R"({"input":"x","previous_response_id":"resp_1"})", "previous_response_id: "},
      {R"({"input":"x","conversation":"conv_1"})", "conversation: "},
      {R"({"input":"x","background":true})", "background: "},
      {R"({"input":"x","prompt":{"id":"pmpt_1"}})", "prompt: "},
      {R"({"input":["x"]})", "input.0: "},
      {R"({"input":[{"role":"user","content":"a"},{"type":"item_reference","id":"msg_1"}]})",
       "input.1: item_reference: "},
      {R"({"input":[{"role":"tool","content":"a"}]})", "input.0: role: "},
      {R"({"input":[{}]})", "input.0: type: "},
      {R"({"input":7})", "input: "},
      {R"({"input":[]})", "input: "},
      {R"({})", "input: "},
      {"[]", "the body must be a JSON object"},
      {"{", "not valid JSON"},
  };
  for (const auto& [body, error] : cases) EXPECT_EQ(Error(body).substr(0, error.size()), error) << body;
  EXPECT_EQ(Error(R"({"input":"x","previous_response_id":null,"conversation":null,"background":false,"prompt":null})"),
            "");
}

TEST(ResponsesRequest, ItemsAndPartsAreRead) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {R"({"role":"user","content":"a"})", "user: a\n"},
      {R"({"role":"system","content":"a"})", "system: a\n"},
      {R"({"role":"assistant","content":"a"},{"role":"assistant","content":[{"type":"refusal","refusal":"no"}]})",
       "assistant: a | refuses(no)\n"},
      {R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"input_file","file_data":"data:application/pdf;base64,QQ==","filename":"f"}]})",
       "user: a | media(application/pdf,QQ==)\n"},
      {R"({"role":"user","content":[{"type":"input_file","file_data":"JVBERi0x"}]})",
       "user: media(application/pdf,JVBERi0x)\n"},
      {R"({"role":"user","content":[{"type":"input_image","image_url":"https://x/y.png"},{"type":"input_image","file_id":"file-1"}]})",
       "user: media(image/*,https://x/y.png) | media(image/*,file-1)\n"},
      {R"({"role":"user","content":[{"type":"input_audio","input_audio":{"data":"QQ==","format":"mp3"}}]})",
       "user: media(audio/mp3,QQ==)\n"},
      {R"({"role":"user","content":[{"type":"input_image","image_url":""},{"type":"new"}]})",
       "user: other(input_image) | other(new)\n"},
      {R"({"type":"reasoning","id":"rs_1","summary":[]})", ""},
      {R"({"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"raw"}]})",
       "assistant: thinks(raw)+{\"content\":[{\"type\":\"reasoning_text\",\"text\":\"raw\"}]}\n"},
      {R"({"type":"function_call","call_id":"c","name":"read","namespace":"mcp__files__","arguments":{"a":1}})",
       "assistant: call(c,mcp__files__read,{\"a\":1})\n"},
      {R"({"type":"function_call","call_id":"c","name":"read","namespace":"functions","arguments":""})",
       "assistant: call(c,read,)\n"},
      {R"({"type":"function_call_output","call_id":"c","output":""})", "tool: result(c,)\n"},
      {R"({"type":"web_search_call","id":"ws_1","status":"completed"},{"role":"assistant","content":"a"})",
       "assistant: other(web_search_call) | a\n"},
  };
  for (const auto& [items, picture] : cases) {
    const std::string body = R"({"input":[{"role":"user","content":"q"},)" + std::string(items) + "]}";
    EXPECT_EQ(Picture(Read(body)), "user: q\n" + std::string(picture)) << items;
  }
}

TEST(ResponsesRequest, StateOfOthersComesBackFromWhereTheClientKeptIt) {
  const OpaqueStates states = {{StateKind::kAnthropicSignature, "sig"}};
  const std::string body =
      R"({"input":[{"role":"user","content":"q"},{"type":"reasoning","summary":[{"type":"summary_text","text":"t"}],"encrypted_content":")" +
      PackStates(states) + R"("},{"type":"function_call","call_id":")" +
      IdWithState("c", {{StateKind::kGeminiSignature, "QUJD"}}) +
      R"(","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":")" +
      IdWithState("c", {{StateKind::kGeminiSignature, "QUJD"}}) + R"(","output":"x"}]})";
  const ModelRequest request = Read(body);
  EXPECT_EQ(Picture(request), "user: q\nassistant: thinks(t)+sig | call(c,f,{})+QUJD\ntool: result(c,x)\n");
  EXPECT_EQ(request.messages[1].parts[0].state, states);
  // It is of no use to a provider of this format.
  Notes notes;
  const std::string written = Write(request, &notes);
  EXPECT_EQ(written.find("reasoning"), written.npos);
  EXPECT_EQ(notes, Notes({"messages: thinking without state of this format was dropped"}));
}

TEST(ResponsesRequest, ChoicesOfTools) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {R"("required")", R"("required")"},
      {R"("none")", R"("none")"},
      {R"({"type":"function","name":"f"})", R"({"type":"function","name":"f"})"},
      {R"({"type":"custom","name":"c"})", R"({"type":"custom","name":"c"})"},
      {R"({"type":"function","name":"gone"})", R"("auto")"},
      {R"({"type":"web_search"})", R"({"type":"web_search"})"},
      {R"({"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"},{"type":"custom","name":"c"}]})",
       R"({"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"},{"type":"custom","name":"c"}]})"},
  };
  for (const auto& [given, written] : cases) {
    const std::string body =
        R"({"input":"x","tools":[{"type":"function","name":"f","parameters":null},{"type":"custom","name":"c"}],"tool_choice":)" +
        std::string(given) + "}";
    const std::string again = Again(body);
    EXPECT_NE(again.find(R"("tool_choice":)" + std::string(written) + ","), again.npos) << again;
  }
}

TEST(ResponsesRequest, WhatOtherFormatsSayIsWritten) {
  ModelRequest request;
  request.origin = Format::kAnthropic;
  request.messages.resize(6);
  request.messages[0].role = Role::kSystem;
  request.messages[0].parts.resize(2);
  request.messages[0].parts[0].text = "S1";
  request.messages[0].parts[1].text = "S2";
  request.messages[1].parts.resize(1);
  request.messages[1].parts[0].text = "q";
  request.messages[2].role = Role::kAssistant;
  request.messages[2].parts.resize(2);
  request.messages[2].parts[0].kind = PartKind::kThinking;
  request.messages[2].parts[0].state = {{StateKind::kResponsesReasoning, R"({"id":"rs_1","encrypted_content":"E"})"}};
  Part& call = request.messages[2].parts[1];
  call.kind = PartKind::kToolCall;
  call.id = std::string(80, 'x');
  call.name = "f";
  request.messages[3].role = Role::kTool;
  request.messages[3].parts.resize(1);
  Part& result = request.messages[3].parts[0];
  result.kind = PartKind::kToolResult;
  result.id = call.id;
  result.is_error = true;
  result.content.resize(1);
  result.content[0].text = "bad";
  request.messages[4].role = Role::kSystem;
  request.messages[4].parts.resize(1);
  request.messages[4].parts[0].text = "later";
  request.messages[5].parts.resize(1);
  request.messages[5].parts[0].kind = PartKind::kMedia;
  request.messages[5].parts[0].media = {Media::Source::kBase64, "application/pdf", "QQ==", "", ""};
  request.tools.resize(1);
  request.tools[0].name = "f";
  request.tools[0].parameters = json::object();
  request.reasoning.effort = "low";
  request.stop = {"x"};
  request.sampling.top_k = 4;
  request.sampling.temperature = 0.5;
  request.max_tokens = 5;
  request.output.kind = OutputFormat::Kind::kJsonSchema;
  request.output.schema = json::object({{"type", "object"}});
  request.user = "u";
  request.extra["top_logprobs"] = 3;
  request.extra["store"] = true;
  Notes notes;
  const std::string body = Write(request, &notes);
  const std::string call_id = body.substr(body.find("\"call_id\":\"") + 11, 21);
  EXPECT_EQ(
      body,
      R"({"model":"m","instructions":"S1\n\nS2","input":[)"
      R"({"type":"message","role":"user","content":[{"type":"input_text","text":"q"}]},)"
      R"({"type":"reasoning","summary":[],"id":"rs_1","encrypted_content":"E"},)"
      R"({"type":"function_call","call_id":")" +
          call_id +
          R"(","name":"f","arguments":"{}"},)"
          R"({"type":"function_call_output","call_id":")" +
          call_id +
          R"(","output":"Error: bad"},)"
          R"({"type":"message","role":"developer","content":[{"type":"input_text","text":"later"}]},)"
          R"({"type":"message","role":"user","content":[{"type":"input_file","file_data":"data:application/pdf;base64,QQ==","filename":"document.pdf"}]}],)"
          R"("tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}},"strict":false}],)"
          R"("reasoning":{"effort":"low"},"text":{"format":{"type":"json_schema","name":"response","schema":{"type":"object"}}},)"
          R"("max_output_tokens":16,"temperature":0.5,"user":"u","include":["reasoning.encrypted_content"],"store":false,"top_logprobs":3})");
  EXPECT_EQ(notes, Notes({"max_tokens: raised to 16", "stop: dropped, this format has none", "top_k: dropped"}));
}

TEST(ResponsesRequest, ReasoningThatIsOffIsSaid) {
  const ModelRequest request = Read(R"({"input":"x","reasoning":{"effort":"none"}})");
  EXPECT_EQ(request.reasoning.mode, Reasoning::Mode::kOff);
  EXPECT_EQ(request.reasoning.effort, "");
  EXPECT_EQ(Write(request),
            R"({"model":"m","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"x"}]}],)"
            R"("reasoning":{"effort":"none"},"store":false})");
}

}  // namespace
}  // namespace ccr::proxy

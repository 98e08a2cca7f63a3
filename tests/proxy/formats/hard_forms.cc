#include "tests/proxy/formats/hard_forms.h"

#include <string_view>

namespace ccr::proxy {
namespace {

const std::string kAnthropic = R"({"model":"m","max_tokens":9,)";
const std::string kAnthropicUser = kAnthropic + R"("messages":[{"role":"user","content":[)";
const std::string kAnthropicTools = kAnthropic + R"("messages":[{"role":"user","content":"x"}],"tools":[)";
const std::string kOpenAiTools = R"({"messages":[{"role":"user","content":"x"}],"tools":[)";
const std::string kSchemaTool = R"({"type":"function","function":{"name":"t","parameters":)";
const std::string kCalls = R"({"role":"assistant","tool_calls":[)";
const std::string kListsAsArguments =
    R"(<<{"id":"c#","function":{"name":"n","arguments":"{\"a\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}"}}>>)";

std::string Repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

std::string Chunk(const std::string& delta) {
  return R"(data: {"choices":[{"index":0,"delta":)" + delta + "}]}\n\n";
}

std::string Event(const std::string& type, const std::string& more) {
  return "event: " + type + "\ndata: {\"type\":\"" + type + "\"," + more + "}\n\n";
}

// Schemas of tools; they go through all requests of OpenAI's.
std::vector<Form> Schemas() {
  const std::string doubling = R"({"$defs":{"a":{"properties":{"x":{"$ref":"#/$defs/b"},"y":{"$ref":"#/$defs/b"}}},)"
                               R"("b":{"properties":{"x":{"$ref":"#/$defs/c"},"y":{"$ref":"#/$defs/c"}}},)"
                               R"("c":{"properties":{"x":{"$ref":"#/$defs/d"},"y":{"$ref":"#/$defs/d"}}},)"
                               R"("d":{"properties":{"x":{"$ref":"#/$defs/e"},"y":{"$ref":"#/$defs/e"}}},)"
                               R"("e":{"properties":{"x":{"$ref":"#/$defs/f"},"y":{"$ref":"#/$defs/f"}}},)"
                               R"("f":{"properties":{"x":{"$ref":"#/$defs/g"},"y":{"$ref":"#/$defs/g"}}},)"
                               R"("g":{"properties":{"x":{"$ref":"#/$defs/h"},"y":{"$ref":"#/$defs/h"}}},)"
                               R"("h":{"properties":{"x":{"type":"string"}}}},"$ref":"#/$defs/a"})";
  return {
      {"properties", R"({"type":"object","properties":{<<"p#":{}>>}})"},
      {"deep_properties", R"({"properties":{"a":{"properties":{"b":{"properties":{<<"p#":{"type":"string"}>>}}}}}})"},
      {"required", R"({"properties":{<<"p#":{}>>},"required":[<<"p~">>]})"},
      {"same_required", R"({"properties":{"p":{}},"required":[<<"p">>]})"},
      {"members", R"({"properties":{"a":{<<"u#":0>>}}})"},
      {"enum", R"({"properties":{"a":{"enum":[<<"e#">>]}}})"},
      {"number_enum", R"({"properties":{"a":{"enum":[<<1#>>]}}})"},
      {"any_of", R"({"properties":{"a":{"anyOf":[<<{"type":"string"}>>]}}})"},
      {"any_of_described", R"({"properties":{"a":{"description":"<|describe |>","anyOf":[<<{}>>]}}})"},
      {"any_of_nested",
       R"({"properties":{"a":{"title":"t","anyOf":[<<{"anyOf":[{"type":"string"},{"type":"number"}]}>>]}}})"},
      {"types", R"({"properties":{"a":{"description":"<|describe |>","type":[<<"string","object">>]}}})"},
      {"all_of", R"({"properties":{"a":{"allOf":[<<{"properties":{"q#":{}},"m#":1}>>]}}})"},
      {"all_of_refs",
       R"({"$defs":{"d":{"properties":{"x":{}}}},"properties":{"a":{"allOf":[<<{"$ref":"#/$defs/d"}>>]}}})"},
      {"refs", R"({"$defs":{"d":{"properties":{<<"p#":{}>>}}},"properties":{<<"r#":{"$ref":"#/$defs/d"}>>}})"},
      {"ref_targets", R"({"$defs":{<<"d#":{}>>},"properties":{"a":{"allOf":[<<{"$ref":"#/$defs/d#"}>>],)"
                      R"("properties":{<<"p#":{"$ref":"#/$defs/d~"}>>}}}})"},
      {"ref_texts", R"({"$defs":{"d":{"description":"<|describe |>"}},"properties":{<<"r#":{"$ref":"#/$defs/d"}>>}})"},
      {"ref_enum", R"({"$defs":{"d":{"enum":[<<"e#">>]}},"properties":{<<"r#":{"$ref":"#/$defs/d"}>>}})"},
      {"items", R"({"properties":{"a":{"prefixItems":[<<{"type":"string"}>>]}}})"},
      {"doubling", doubling + R"(}},<<)" + kSchemaTool + doubling + "}}>>," + kSchemaTool + "{}"},
  };
}

}  // namespace

std::vector<Form> AnthropicRequests() {
  const std::string uses = kAnthropic + R"("messages":[{"role":"user","content":"x"},{"role":"assistant","content":[)";
  const std::string results = R"(]},{"role":"user","content":[)";
  return {
      {"members", kAnthropic + R"(<<"u#":0>>,"messages":[{"role":"user","content":"x"}]})"},
      {"escaped_members", kAnthropic + R"(<<"\u0075#":0>>,"messages":[{"role":"user","content":"x"}]})"},
      {"one_member", kAnthropic + R"(<<"u":0>>,"messages":[{"role":"user","content":"x"}]})"},
      {"members_of_block", kAnthropicUser + R"({"type":"text","text":"x",<<"u#":0>>}]}]})"},
      {"members_of_message", kAnthropic + R"("messages":[{"role":"user","content":"x",<<"u#":0>>}]})"},
      {"blocks", kAnthropicUser + R"(<<{"type":"b#"}>>]}]})"},
      {"text_blocks", kAnthropicUser + R"(<<{"type":"text","text":"x"}>>]}]})"},
      {"marked_blocks", kAnthropicUser + R"(<<{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}>>]}]})"},
      {"images", kAnthropicUser +
                     R"(<<{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}>>]}]})"},
      {"assistant_blocks", uses + R"(<<{"type":"text","text":"x"}>>,<<{"type":"thinking","thinking":"y"}>>]}]})"},
      {"messages",
       kAnthropic + R"("messages":[<<{"role":"user","content":"x"},{"role":"assistant","content":"y"}>>]})"},
      {"system_messages",
       kAnthropic + R"("messages":[<<{"role":"user","content":"x"},{"role":"system","content":"y"}>>]})"},
      {"system_blocks",
       kAnthropic + R"("system":[<<{"type":"text","text":"x"}>>],"messages":[{"role":"user","content":"x"}]})"},
      {"tool_uses", uses + R"(<<{"type":"tool_use","id":"t#","name":"n#","input":{}}>>]}]})"},
      {"tool_results", uses + R"(<<{"type":"tool_use","id":"t#","name":"n","input":{}}>>)" + results +
                           R"(<<{"type":"tool_result","tool_use_id":"t~","content":"x"}>>]}]})"},
      {"same_ids", uses + R"(<<{"type":"tool_use","id":"t","name":"n","input":{}}>>)" + results +
                       R"(<<{"type":"tool_result","tool_use_id":"t","content":"x"}>>]}]})"},
      {"orphan_results", kAnthropicUser + R"(<<{"type":"tool_result","tool_use_id":"t#","content":"x"}>>]}]})"},
      {"nested_documents", kAnthropicUser + Repeated(R"({"type":"search_result","content":[)", 200) +
                               R"({"type":"text","text":"<|abcdefgh |>"})" + Repeated("]}", 200) + "]}]}"},
      {"tools", kAnthropicTools + R"(<<{"name":"n#"}>>],"tool_choice":{"type":"tool","name":"n0"}})"},
      {"long_names",
       kAnthropicTools +
           R"(<<{"name":"a_name_that_is_much_too_long_for_every_provider_that_I_know_of_or_you_do_#"}>>]})"},
      {"odd_names", kAnthropicTools + R"(<<{"name":"ü #"}>>]})"},
      {"typed_tools", kAnthropicTools + R"(<<{"type":"x#","name":"n#"}>>]})"},
      {"strict_tools", kAnthropicTools + R"(<<{"name":"n#","strict":true,"defer_loading":true}>>]})"},
      {"loaded_tools",
       kAnthropic + R"("messages":[{"role":"user","content":[<<{"type":"tool_reference","tool_name":"n#"}>>]}],)" +
           R"("tools":[<<{"name":"n~","defer_loading":true}>>]})"},
      {"stops", kAnthropic + R"("messages":[{"role":"user","content":"x"}],"stop_sequences":[<<"#">>]})"},
      {"escapes", kAnthropicUser + R"({"type":"text","text":"<|\u0041\n\"|>"}]}]})"},
      {"surrogates", kAnthropicUser + R"({"type":"text","text":"<|\ud800|>"}]}]})"},
      {"no_utf8", kAnthropicUser + "{\"type\":\"text\",\"text\":\"<|\xff|>\"}]}]}"},
      {"chinese", kAnthropicUser + R"({"type":"text","text":"<|一是|>"}]}]})"},
      {"blanks", kAnthropicUser + R"({"type":"text","text":"<|  |>"}]}]})"},
      {"numbers", kAnthropicUser + R"({"type":"text","text":"x","n":[<<-0.123456789e-300>>]}]}]})"},
      {"one_number", kAnthropic + R"("top_k":<|1234567890|>,"messages":[{"role":"user","content":"x"}]})"},
      {"depth",
       kAnthropicUser + R"({"type":"text","text":"x","d":[<<)" + Repeated("[", 200) + Repeated("]", 200) + ">>]}]}]}"},
      {"inputs", uses + R"({"type":"tool_use","id":"t","name":"n","input":{<<"i#":{"a":[1]}>>}}]}]})"},
      {"tags", kAnthropicUser +
                   R"(<<{"type":"text","text":"<CCR-SUBAGENT-MODEL></CCR-SUBAGENT-MODEL</CCR-SUBAGENT-MODE"}>>]}]})"},
  };
}

std::vector<Form> OpenAiRequests() {
  const std::string user = R"({"messages":[{"role":"user","content":[)";
  const std::string start = R"({"messages":[{"role":"user","content":"x"},)";
  std::vector<Form> forms = {
      {"members", R"({<<"u#":0>>,"messages":[{"role":"user","content":"x"}]})"},
      {"members_of_message", R"({"messages":[{"role":"user","content":"x",<<"u#":0>>}]})"},
      {"parts", user + R"(<<{"type":"b#"}>>]}]})"},
      {"text_parts", user + R"(<<{"type":"text","text":"x"}>>]}]})"},
      {"bare_parts", user + R"(<<"x">>]}]})"},
      {"files", user + R"(<<{"type":"file","file":{"file_data":"data:text/plain;base64,YQ=="}}>>]}]})"},
      {"messages", R"({"messages":[<<{"role":"user","content":"x"},{"role":"assistant","content":"y"}>>]})"},
      {"names", R"({"messages":[<<{"role":"user","name":"n#","content":"x"}>>]})"},
      {"system_messages", R"({"messages":[<<{"role":"user","content":"x"},{"role":"system","content":"y"}>>]})"},
      {"leading_system", R"({"messages":[<<{"role":"system","content":"y"}>>]})"},
      {"calls", start + kCalls + R"(<<{"id":"c#","function":{"name":"n#","arguments":"{}"}}>>]}]})"},
      {"results", start + kCalls + R"(<<{"id":"c#","function":{"name":"n","arguments":"{}"}}>>]},)" +
                      R"(<<{"role":"tool","tool_call_id":"c~","content":"x"}>>]})"},
      {"same_ids", start + kCalls + R"(<<{"id":"c","function":{"name":"n","arguments":"{}"}}>>]},)" +
                       R"(<<{"role":"tool","tool_call_id":"c","content":"x"}>>]})"},
      {"no_ids", start + kCalls + R"(<<{"function":{"name":"n"}}>>]}]})"},
      {"similar_ids",
       start + kCalls + R"(<<{"id":"c","function":{"name":"n"}},{"id":"c_#","function":{"name":"n"}}>>]}]})"},
      {"orphan_results", start + R"(<<{"role":"tool","tool_call_id":"c#","content":"x"}>>]})"},
      {"function_results", start + kCalls + R"(<<{"id":"c#","function":{"name":"n#","arguments":"{}"}}>>]},)" +
                               R"(<<{"role":"function","name":"n~","content":"x"}>>]})"},
      {"legacy_calls", start + R"(<<{"role":"assistant","function_call":{"name":"n","arguments":"{}"}}>>]})"},
      {"arguments", start + kCalls + kListsAsArguments + "]}]}"},
      {"bad_arguments", start + kCalls + R"(<<{"id":"c#","function":{"name":"n","arguments":"{"}}>>]}]})"},
      {"tools", kOpenAiTools + R"(<<{"type":"function","function":{"name":"n#"}}>>]})"},
      {"same_tools", kOpenAiTools + R"(<<{"type":"function","function":{"name":"n"}}>>]})"},
      {"odd_tools", kOpenAiTools + R"(<<{"type":"function","function":{"name":"ü #"}}>>]})"},
      {"custom_tools", kOpenAiTools + R"(<<{"type":"custom"}>>]})"},
      {"functions", R"({"messages":[{"role":"user","content":"x"}],"functions":[<<{"name":"n#"}>>]})"},
      {"allowed_tools", kOpenAiTools + R"(<<{"type":"function","function":{"name":"n#"}}>>],"tool_choice":)" +
                            R"({"type":"allowed_tools","mode":"required","tools":[<<{"function":{"name":"n~"}}>>]}})"},
      {"stops", R"({"messages":[{"role":"user","content":"x"}],"stop":[<<"#">>]})"},
      {"escapes", user + R"({"type":"text","text":"<|\u0041\n\"|>"}]}]})"},
      {"reasoning", start + R"(<<{"role":"assistant","content":"x","reasoning_content":"y","cache_control":{}}>>]})"},
  };
  for (const Form& schema : Schemas()) {
    forms.push_back({"schema_" + schema.name, kOpenAiTools + kSchemaTool + schema.text + "}}]}"});
    forms.push_back({"format_" + schema.name, R"({"messages":[{"role":"user","content":"x"}],"response_format":)"
                                              R"({"type":"json_schema","json_schema":{"schema":)" +
                                                  (schema.name == "doubling" ? "{}" : schema.text) + "}}}"});
  }
  return forms;
}

std::vector<Form> OpenAiAnswers() {
  const std::string message = R"({"id":"a","choices":[{"message":{"role":"assistant",)";
  return {
      {"members", message + R"("content":"x",<<"u#":0>>}}]})"},
      {"parts", message + R"("content":[<<{"type":"text","text":"x"},{"type":"text","refusal":"y"}>>]}}]})"},
      {"thinking",
       message + R"("content":[<<{"type":"thinking","thinking":[{"text":"x"}]},{"type":"text","text":"y"}>>]}}]})"},
      {"calls", message + R"("tool_calls":[<<{"id":"c#","function":{"name":"n","arguments":"{}"}}>>]}}]})"},
      {"no_ids", message + R"("tool_calls":[<<{"function":{"name":"n"}}>>]}}]})"},
      {"numeric_ids",
       R"({"id":"<|long |>","choices":[{"message":{"tool_calls":[<<{"id":"7","function":{"name":"n"}}>>]}}]})"},
      {"exits",
       message +
           R"("tool_calls":[<<{"id":"c#","function":{"name":"ExitTool","arguments":"{\"response\":\"x\"}"}}>>]}}]})"},
      {"bad_arguments", message + R"("tool_calls":[<<{"id":"c#","function":{"name":"n","arguments":"{a:1"}}>>]}}]})"},
      {"choices", R"({"id":"a","choices":[<<{"message":{"content":"x"}}>>]})"},
      {"arguments", message + R"("tool_calls":[)" + kListsAsArguments + "]}}]}"},
      {"escapes", message + R"("content":"<|\u0041\n\"|>"}}]})"},
  };
}

std::vector<Form> AnthropicAnswers() {
  const std::string content = R"({"id":"a","type":"message","role":"assistant","content":[)";
  return {
      {"blocks", content + R"(<<{"type":"b#"}>>]})"},
      {"texts", content + R"(<<{"type":"text","text":"x"},{"type":"thinking","thinking":"y","signature":"s"}>>]})"},
      {"calls", content + R"(<<{"type":"tool_use","id":"t#","name":"n","input":{}}>>]})"},
      {"same_ids", content + R"(<<{"type":"tool_use","id":"t","name":"n","input":{}}>>]})"},
      {"members", R"({<<"u#":0>>,"content":[{"type":"text","text":"x"}]})"},
  };
}

std::vector<Form> GeminiAnswers() {
  const std::string parts = R"({"candidates":[{"content":{"parts":[)";
  return {
      {"parts", parts + R"(<<{"text":"x"},{"text":"y","thought":true},{"u#":1}>>]}}]})"},
      {"calls", parts + R"(<<{"functionCall":{"name":"n","args":{}}}>>]}}]})"},
      {"same_ids", parts + R"(<<{"functionCall":{"id":"i","name":"n"},"thoughtSignature":"YQ=="}>>]}}]})"},
      {"candidates", R"({"candidates":[<<{"index":1}>>,{"content":{"parts":[{"text":"x"}]}}]})"},
  };
}

std::vector<Form> OpenAiStreams() {
  const std::string call = R"({"tool_calls":[{"index":#,"id":"c#","function":{"name":"n","arguments":"{"}}]})";
  const std::string open = Chunk(R"({"tool_calls":[{"index":0,"id":"c","function":{"name":"n","arguments":"{"}}]})");
  const std::string exit =
      R"({"tool_calls":[{"index":#,"id":"c#","function":{"name":"ExitTool","arguments":"{\"response\":\"x"}}]})";
  const auto piece = [](const std::string& index, const std::string& text) {
    return R"({"tool_calls":[{"index":)" + index + R"(,"function":{"arguments":")" + text + R"("}}]})";
  };
  return {
      {"texts", "<|" + Chunk(R"({"content":"x"})") + "|>"},
      {"empty", "<|data:{}\n\n|>"},
      {"lines", "data: {<|\ndata:\"u#\":0,|>\ndata: \"v\":1}\n\n"},
      {"comments", "<|:\n\n|>"},
      {"types", "event: <|abc|>\ndata: {}\n\n"},
      {"members", "<|" + Chunk(R"({"content":"x","u#":1})") + "|>"},
      {"choices", R"(data: {"choices":[<<{"index":0,"delta":{"content":"x"}}>>]})" + std::string("\n\n")},
      {"open_calls", "<|" + Chunk(call) + "|><|" + Chunk(piece("~", "1")) + "|>"},
      {"few_calls", Chunk(call) + "<|" + Chunk(piece("0", "a")) + "|>"},
      {"calls_of_chunk", R"(data: {"choices":[{"index":0,"delta":{"tool_calls":[<<{"index":#,"function":{}}>>]}}]})" +
                             std::string("\n\n")},
      {"interleaved", open + "<|" + Chunk(R"({"content":"x"})") +
                          Chunk(R"({"tool_calls":[{"index":#1,"function":{"name":"n","arguments":"{}"}}]})") + "|>"},
      {"held_texts", open + "<|" + Chunk(R"({"content":"x"})") + Chunk(R"({"reasoning":"x"})") + "|>" +
                         Chunk(R"({"tool_calls":[{"index":1,"id":"d","function":{"name":"n","arguments":"{"}}]})") +
                         "<|" + Chunk(piece("1", " ")) + "|>"},
      {"arguments", open + "<|" + Chunk(piece("0", "a:1,")) + "|>" + "data: [DONE]\n\n"},
      {"quotes", open + "<|" + Chunk(piece("0", R"(\"\" )")) + "|>" + "data: [DONE]\n\n"},
      {"exits", "<|" + Chunk(exit) + "|>"},
      {"exit_blanks",
       Chunk(R"({"tool_calls":[{"index":0,"function":{"name":"ExitTool"}}]})") + "<|" + Chunk(piece("0", " ")) + "|>"},
      {"exit_text", Chunk(exit) + "<|" + Chunk(piece("0", "a")) + "|>"},
      {"long_id", R"(data: {"id":"<|long |>","model":"<|long |>","choices":[]})" + std::string("\n\n<|") +
                      Chunk(R"({"content":"x"})") + "|>"},
  };
}

std::vector<Form> OpenAiFewStreams() {
  return {{"texts", "<|" + Chunk(R"({"content":"x"})") + "|>"},
          {"lines", "data: {<|\ndata:\"u#\":0,|>\ndata: \"v\":1}\n\n"}};
}

std::vector<Form> AnthropicStreams() {
  const std::string call = Event("content_block_start", R"("index":#,"content_block":{"type":"tool_use","name":"n"})");
  const std::string start = Event("message_start", R"("message":{"id":"m"})");
  const auto delta = [](const std::string& index) {
    return Event("content_block_delta",
                 R"("index":)" + index + R"(,"delta":{"type":"input_json_delta","partial_json":"1"})");
  };
  return {
      {"texts", "<|" + Event("content_block_delta", R"("index":0,"delta":{"type":"text_delta","text":"x"})") + "|>"},
      {"deltas", "<|" + Event("content_block_delta", R"("index":0,"delta":{"type":"d#"})") + "|>"},
      {"blocks", "<|" + Event("content_block_start", R"("index":0,"content_block":{"type":"b#"})") + "|>"},
      {"pings", "<|event: ping\ndata: {}\n\n|>"},
      {"open_calls", start + "<|" + call + "|><|" + delta("~") + "|>"},
      {"closed_calls", start + "<|" + call + Event("content_block_stop", R"("index":#)") + "|>"},
      {"stops", start + "<|" + call + "|><|" + Event("content_block_stop", R"("index":#)") + "|>"},
      {"long_id", Event("message_start", R"("message":{"id":"<|long |>","model":"<|long |>"})") + "<|" +
                      Event("content_block_delta", R"("index":0,"delta":{"type":"text_delta","text":"x"})") + "|>"},
  };
}

std::vector<Form> GeminiStreams() {
  const auto chunk = [](const std::string& parts) {
    return R"(data: {"candidates":[{"content":{"parts":[)" + parts + "]}}]}\r\n\r\n";
  };
  return {
      {"texts", "<|" + chunk(R"({"text":"x"})") + "|>"},
      {"calls", "<|" + chunk(R"({"functionCall":{"name":"n"}})") + "|>"},
      {"same_ids", "<|" + chunk(R"({"functionCall":{"id":"i","name":"n"}})") + "|>"},
      {"calls_of_chunk", chunk(R"(<<{"functionCall":{"name":"n"}}>>)")},
      {"arguments", chunk(R"({"functionCall":{"name":"n","args":{<<"a#":"x">>}}})")},
      {"long_id", R"(data: {"responseId":"<|long |>","modelVersion":"<|long |>"})" + std::string("\n\n<|") +
                      chunk(R"({"text":"x"})") + "|>"},
  };
}

std::vector<Form> Arguments() {
  return {
      {"bare", "{<|a:1,|>"},
      {"quotes", R"({"a":"<|" b|>)"},
      {"double_quotes", R"({<|"" |>)"},
      {"spaces", R"({"a":"<|" |>b)"},
      {"far_quote", R"({<|'a' "" |>)"},
      {"comments", "{<|/* */|>"},
      {"open_comments", "{<|//*|>"},
      {"nested", "{a:<|[{|>"},
      {"brackets", "{a:[<|}|>"},
      {"colons", "{<|:|>"},
      {"in_string", R"("<|{\"a\":1,|>")"},
      {"words", "{<|a b c=d |>"},
      {"escapes", R"({"a":"<|\ud800\u|>)"},
      {"keys", R"({<|"k#":1,|>)"},
  };
}

std::vector<Form> Openings() {
  return {
      {"blank_lines", "{<|\n|>"},
      {"blank_document", "{<|  \n|>\"error\":{\"message\":\"x\"}}"},
      {"lines", "<|data: a\n|>"},
      {"pings", "<|data: {\"type\":\"ping\"}\n\n|>"},
      {"error", R"({"error":{"message":"<|x |>"}})"},
      {"error_lines", "{\"error\":{<|\"u#\":\n0,|>\"message\":\"x\"}}"},
      {"comments", "<|: x\n|>"},
      {"words", R"({"usage":{<<"input_tokens":#>>}})"},
      {"underscores", R"(data: {"<|_Reason"T|>"})"},
  };
}

}  // namespace ccr::proxy

// Requests of Gemini's clients as they are read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "proxy/formats/gemini/codec.h"
#include "tests/proxy/formats/gemini_conversations.h"
#include "tests/proxy/formats/gemini_requests.h"

namespace ccr::proxy::gemini {
namespace {

using ::testing::HasSubstr;

TEST(GeminiCodecReadsRequest, WhatGeminiCliSends) {
  const ModelRequest request = ReadGemini(R"({"contents":[
      {"role":"user","parts":[{"text":"ls"}]},
      {"role":"model","parts":[{"text":"hm","thought":true},{"text":"So: "},
        {"functionCall":{"id":"fc1","name":"shell","args":{"c":"ls"}},"thoughtSignature":"c2ln"}]},
      {"role":"user","parts":[{"functionResponse":{"id":"fc1","name":"shell","response":{"output":"a.txt"}}},
        {"text":"and?"}]}],
    "systemInstruction":{"role":"user","parts":[{"text":"Be kind."}]},
    "tools":[{"functionDeclarations":[{"name":"shell","description":"Runs.","parametersJsonSchema":
      {"type":"object","properties":{"c":{"type":"string"}}}}]}],
    "generationConfig":{"temperature":1,"topP":0.95,"topK":64,"thinkingConfig":
      {"includeThoughts":true,"thinkingBudget":-1}},"labels":{"a":"b"}})");
  EXPECT_EQ(ShowRequest(request),
            "system\n  text(Be kind.)\nuser\n  text(ls)\nassistant\n  thinking(hm)\n  text(So: )\n"
            "  call(fc1 shell: {\"c\":\"ls\"})[2 c2ln]\ntool\n  result(fc1 shell: text(a.txt))\nuser+\n  text(and?)\n"
            "0 shell Runs. {\"type\":\"object\",\"properties\":{\"c\":{\"type\":\"string\"}}} "
            "{\"parametersJsonSchema\":null}\n"
            "choice 0\nreasoning 2 -  shown\nsampling 1 0.95 64 - - - - \noutput 0 null\nown "
            R"({"labels":{"a":"b"}})");
  EXPECT_EQ(request.origin, Format::kGemini);
  EXPECT_EQ(request.model, "");
}

TEST(GeminiCodecReadsRequest, NamesInSnakeCase) {
  const ModelRequest request = ReadGemini(R"({"system_instruction":{"parts":{"text":"S"}},"contents":[
      {"parts":{"text":"hi"}},
      {"role":"user","parts":[{"inline_data":{"mime_type":"image/png","data":"aGk="}},
        {"file_data":{"mime_type":"video/mp4","file_uri":"https://x.org/f"}}]},
      {"role":"model","parts":[{"function_call":{"name":"f","args":{"a_b":1}},"thought_signature":"c2ln"}]},
      {"role":"function","parts":[{"function_response":{"name":"f","response":{"result":"r"}}}]}],
    "tools":[{"function_declarations":[{"name":"f","parameters":{"type":"OBJECT","properties":
        {"a_b":{"type":"STRING","min_length":"2","any_of":[{"type":"INTEGER"}]}}}}]},{"google_search":{}},
      {"code_execution":{}}],
    "tool_config":{"function_calling_config":{"mode":"ANY","allowed_function_names":["f"]}},
    "safety_settings":[{"category":"C"}],
    "generation_config":{"max_output_tokens":9,"stop_sequences":["x"],"response_mime_type":"application/json",
      "response_schema":{"type":"ARRAY","items":{"type":"STRING"}},"thinking_config":{"thinking_budget":7},
      "presence_penalty":0.5,"candidate_count":1}})");
  EXPECT_EQ(
      ShowMessages(request),
      "system\n  text(S)\nuser\n  text(hi)\nuser\n  media(base64 image/png aGk= )\n  media(url video/mp4 "
      "https://x.org/f "
      ")\nassistant\n  call(call_08987c07b5420ebb f: {\"a_b\":1})[2 c2ln]\ntool\n  result(call_08987c07b5420ebb f: "
      "text(r) own {\"functionResponse\":{\"response\":{\"result\":\"r\"}}})");
  EXPECT_THAT(ShowTools(request), HasSubstr(R"("a_b":{"type":"string","minLength":2,"anyOf":[{"type":"integer"}]})"));
  EXPECT_THAT(ShowTools(request),
              HasSubstr("2 web_search  null {\"googleSearch\":{}}\n3   null {\"codeExecution\":{}}"));
  EXPECT_EQ(ShowSettings(request),
            "choice 4f\nreasoning 3 7 \nsampling - - - - 0.5 - 9 \nstop x\noutput 2 "
            R"({"type":"array","items":{"type":"string"}})"
            "\nown "
            R"({"generationConfig":{"responseSchema":{"type":"ARRAY","items":{"type":"STRING"}},"candidateCount":1},)"
            R"("safetySettings":[{"category":"C"}]})");
}

TEST(GeminiCodecReadsRequest, ResultsFindTheirCalls) {
  const struct {
    std::string_view calls, results, ids;
  } rows[] = {
      // Gemini CLI makes an id up where the call had none.
      {R"({"functionCall":{"name":"f"}})", R"({"functionResponse":{"id":"f-17-a","name":"f","response":{}}})", "0"},
      {R"({"functionCall":{"name":"f"}},{"functionCall":{"name":"g"}},{"functionCall":{"name":"f"}})",
       R"({"functionResponse":{"name":"g"}},{"functionResponse":{"name":"f"}},{"functionResponse":{"name":"f"}})",
       "102"},
      {R"({"functionCall":{"name":"f","id":"a"}},{"functionCall":{"name":"f","id":"b"}})",
       R"({"functionResponse":{"name":"f","id":"b"}},{"functionResponse":{"name":"f","id":"a"}})", "10"},
      {R"({"functionCall":{"name":"f"}})", R"({"functionResponse":{"name":"g"}})", "-"},
  };
  for (const auto& row : rows) {
    const ModelRequest request =
        ReadGemini(R"({"contents":[{"parts":[{"text":"hi"}]},{"role":"model","parts":[)" + std::string(row.calls) +
                   R"(]},{"role":"user","parts":[)" + std::string(row.results) + "]}]}");
    std::string ids;
    for (const Part& result : request.messages.at(2).parts) {
      const std::vector<Part>& calls = request.messages.at(1).parts;
      size_t call = 0;
      while (call < calls.size() && calls[call].id != result.id) ++call;
      ids += call == calls.size() ? "-" : std::to_string(call);
    }
    EXPECT_EQ(ids, row.ids) << row.calls;
  }
}

TEST(GeminiCodecReadsRequest, MadeUpIdsStayTheSameAsTheConversationGoesOn) {
  const std::string turn = R"({"parts":[{"text":"hi"}]},{"role":"model","parts":[{"functionCall":{"name":"f"}}]})";
  const std::string answered = turn + R"(,{"parts":[{"functionResponse":{"name":"f"}}]})";
  const ModelRequest once = ReadGemini("{\"contents\":[" + answered + "]}");
  const ModelRequest twice = ReadGemini("{\"contents\":[" + answered + "," + turn + "]}");
  EXPECT_EQ(once.messages[1].parts[0].id, twice.messages[1].parts[0].id);
  EXPECT_NE(once.messages[1].parts[0].id, twice.messages[4].parts[0].id);
}

TEST(GeminiCodecReadsRequest, PiecesOfAStreamAreOnePart) {
  const ModelRequest request = ReadGemini(R"({"contents":[{"parts":[{"text":"hi"},{"text":"you"}]},
      {"role":"model","parts":[{"text":"I ","thought":true}]},
      {"role":"model","parts":[{"text":"think","thought":true}]},
      {"role":"model","parts":[{"text":"","thought":true,"thoughtSignature":"dDE="}]},
      {"role":"model","parts":[{"text":"Hel"}]},{"role":"model","parts":[{"text":"lo"}]},
      {"role":"model","parts":[{"text":"","thoughtSignature":"dDI="}]},
      {"role":"model","parts":[{"text":"again"}]},{"role":"model","parts":[{"text":""}]},
      {"role":"model","parts":[{"functionCall":{"id":"a","name":"f"}},{"text":"","thoughtSignature":"dDM="}]}]})");
  EXPECT_EQ(ShowMessages(request),
            "user\n  text(hi)\n  text(you)\nassistant\n  thinking(I think)[2 dDE=]\n  text(Hello)[2 dDI=]\n"
            "  text(again)\n  call(a f: {})\n  thinking()[2 dDM=]");
}

TEST(GeminiCodecReadsRequest, OnlyTheModelThinksAndCalls) {
  EXPECT_EQ(ShowMessages(ReadGemini(R"({"contents":[{"role":"user","parts":[{"text":"t","thought":true},
      {"text":"","thoughtSignature":"dDE="},{"functionCall":{"id":"a","name":"f"}},{"text":"b"}]}]})")),
            "user\n  text(t own {\"thought\":true})\nassistant+\n  call(a f: {})\nuser+\n  text(b)");
}

TEST(GeminiCodecReadsRequest, WhatAResponseSays) {
  const struct {
    std::string_view response, shown;
  } rows[] = {
      {R"({"output":"x"})", "text(x)"},
      {R"({"output":""})", ""},
      {R"({"error":"e"})", "text(e) error"},
      {R"({"result":"x"})", R"(text(x) own {"functionResponse":{"response":{"result":"x"}}})"},
      {R"({"output":{"a":1}})", R"(text({"a":1}) own {"functionResponse":{"response":{"output":{"a":1}}}})"},
      {R"({"a":1,"b":2})", R"(text({"a":1,"b":2}) own {"functionResponse":{"response":{"a":1,"b":2}}})"},
      {R"({})", R"( own {"functionResponse":{"response":{}}})"},
  };
  for (const auto& row : rows) {
    const ModelRequest request = ReadGemini(R"({"contents":[{"parts":[{"functionResponse":{"name":"f","response":)" +
                                            std::string(row.response) + "}}]}]}");
    EXPECT_EQ(ShowMessages(request), "tool\n  result( f: " + std::string(row.shown) + ")");
  }
}

TEST(GeminiCodecReadsRequest, MediaInAResponse) {
  EXPECT_EQ(ShowMessages(ReadGemini(R"({"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"output":"x"},
      "parts":[{"inlineData":{"mimeType":"image/png","data":"aGk=","displayName":"a.png"}}]}}]}]})")),
            "tool\n  result( f: text(x)media(base64 image/png aGk= a.png))");
}

TEST(GeminiCodecReadsRequest, ThinkingConfig) {
  const struct {
    std::string_view config, shown;
  } rows[] = {
      {R"({"thinkingBudget":0})", "1 - "},
      {R"({"thinkingBudget":-1,"includeThoughts":true})", "2 -  shown"},
      {R"({"thinkingBudget":512})", "3 512 "},
      {R"({"thinkingLevel":"HIGH"})", "0 - high"},
      {R"({"thinkingLevel":"low"})", "0 - low"},
      {R"({"thinkingLevel":"THINKING_LEVEL_UNSPECIFIED"})", "0 - "},
      {R"("strange")", "0 - "},
  };
  for (const auto& row : rows) {
    const ModelRequest request = ReadMore(R"("generationConfig":{"thinkingConfig":)" + std::string(row.config) + "}");
    EXPECT_THAT(ShowSettings(request), HasSubstr("\nreasoning " + std::string(row.shown) + "\n")) << row.config;
  }
}

TEST(GeminiCodecReadsRequest, ToolModes) {
  const struct {
    std::string_view config, shown;
  } rows[] = {
      {R"({"mode":"AUTO"})", "choice 1"},
      {R"({"mode":"NONE"})", "choice 2"},
      {R"({"mode":"any"})", "choice 3"},
      {R"({"mode":"ANY","allowedFunctionNames":["f","g"]})", "choice 3,f,g"},
      {R"({"mode":"ANY","allowedFunctionNames":["f"]})", "choice 4f"},
      {R"({"mode":"VALIDATED","allowedFunctionNames":["f"]})", "choice 1,f"},
      {R"({"mode":"MODE_UNSPECIFIED"})", "choice 0"},
  };
  for (const auto& row : rows) {
    const ModelRequest request = ReadMore(R"("toolConfig":{"functionCallingConfig":)" + std::string(row.config) + "}");
    EXPECT_THAT(ShowSettings(request), HasSubstr(std::string(row.shown) + "\n")) << row.config;
  }
}

TEST(GeminiCodecReadsRequest, SchemasBecomeJsonSchema) {
  const struct {
    std::string_view given, read;
  } rows[] = {
      {R"({"type":"STRING","nullable":true,"enum":["a"],"format":"enum"})",
       R"({"type":["string","null"],"enum":["a",null]})"},
      {R"({"type":"OBJECT","properties":{"a":{"type":"INTEGER","format":"int32","example":1}},"propertyOrdering":["a"]})",
       R"({"type":"object","properties":{"a":{"type":"integer","format":"int32","examples":[1]}}})"},
      {R"({"anyOf":[{"type":"NUMBER"}],"nullable":true})", R"({"anyOf":[{"type":"number"},{"type":"null"}]})"},
      {R"({"type":"ARRAY","items":{"type":"BOOLEAN","nullable":false},"minItems":"1","maxItems":3})",
       R"({"type":"array","items":{"type":"boolean"},"minItems":1,"maxItems":3})"},
      {R"({"type":"TYPE_UNSPECIFIED","additionalProperties":{"type":"STRING"}})",
       R"({"additionalProperties":{"type":"string"}})"},
  };
  for (const auto& row : rows) {
    const ModelRequest request =
        ReadMore(R"("generationConfig":{"responseMimeType":"application/json","responseSchema":)" +
                 std::string(row.given) + "}");
    EXPECT_EQ(ToJson(request.output.schema), row.read);
  }
}

TEST(GeminiCodecReadsRequest, PackedStateComesBack) {
  const std::string signature = "Y2NyMV9XeUpoY3lJc0luTnBaeUpk";  // base64 of PackStates' ccr1_WyJhcyIsInNpZyJd
  const ModelRequest request = ReadGemini(
      R"({"contents":[{"role":"model","parts":[{"text":"t","thought":true,"thoughtSignature":")" + signature +
      R"("},{"functionCall":{"id":"a","name":"f"},"thoughtSignature":)"
      R"("skip_thought_signature_validator"}]}]})");
  EXPECT_EQ(ShowMessages(request), "assistant\n  thinking(t)[0 sig]\n  call(a f: {})");
}

TEST(GeminiCodecReadsRequest, WhatIsNoRequestIsRefused) {
  const struct {
    std::string_view body, why;
  } rows[] = {
      {"[]", "the body must be a JSON object"},
      {"{", "not valid JSON"},
      {"{}", "contents: at least one content is required"},
      {R"({"contents":[]})", "contents: at least one content is required"},
      {R"({"contents":"hi"})", "contents: at least one content is required"},
      {R"({"contents":[{"parts":[]},7]})", "contents.1: must be an object"},
      {R"({"contents":[{"role":"cat","parts":[]}]})", "contents.0.role: must be one of user, model"},
      {R"({"contents":[{"parts":7}]})", "contents.0.parts: must be a list"},
  };
  for (const auto& row : rows) {
    Notes notes;
    const auto request = gemini::Codec().ReadRequest(row.body, &notes);
    EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument) << row.body;
    EXPECT_THAT(std::string(request.status().message()), HasSubstr(std::string(row.why)));
  }
}

TEST(GeminiCodecReadsRequest, MembersOfWrongTypesAreLeftOut) {
  const ModelRequest request = ReadGemini(
      R"({"contents":[{"parts":[7,null,{},[],{"text":1},{"functionCall":{"name":""}},{"inlineData":{}}]}],"tools":7,
      "toolConfig":[],"generationConfig":{"topK":"x","temperature":null,"stopSequences":[1,"a"],"maxOutputTokens":-5,
      "seed":1e300,"thinkingConfig":[]},"systemInstruction":7})");
  EXPECT_EQ(ShowSettings(request), "choice 0\nreasoning 0 - \nsampling - - - - - - - \nstop a\noutput 0 null\nown {}");
}

}  // namespace
}  // namespace ccr::proxy::gemini

// Requests of all clients as they are written for Gemini.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "proxy/formats/gemini/codec.h"
#include "tests/proxy/formats/gemini_requests.h"
#include "tests/proxy/formats/gemini_validators.h"

namespace ccr::proxy::gemini {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kFlash = "gemini-2.5-flash";

std::string Written(const ModelRequest& request, std::string_view model = kFlash, Notes* notes = nullptr) {
  Notes none;
  const auto written = gemini::Codec().WriteRequest(request, model, notes == nullptr ? &none : notes);
  EXPECT_TRUE(written.ok()) << written.status();
  return written.ok() ? written->body : "";
}

// What another format's client would have sent: written in Gemini's words, which are short.
ModelRequest Foreign(std::string_view body) {
  ModelRequest request = ReadGemini(body);
  request.origin = Format::kChat;
  return request;
}

std::string WrittenForeign(std::string_view body, std::string_view model = kFlash, Notes* notes = nullptr) {
  const std::string written = Written(Foreign(body), model, notes);
  EXPECT_EQ(CheckGeminiRequest(written), "");
  return written;
}

std::string Contents(std::string_view contents, std::string_view model = kFlash) {
  const std::string written = WrittenForeign(R"({"contents":)" + std::string(contents) + "}", model);
  return ToJson(ParseJson(written)->at("contents"));
}

// What a client sent goes back to Gemini as it came, but for what no content may hold.
TEST(GeminiCodecWritesRequest, ItsOwnClientsLoseNothing) {
  const std::string_view body =
      R"({"systemInstruction":{"parts":[{"text":"S"}]},"contents":[{"role":"user","parts":[{"text":"hi"},)"
      R"({"inlineData":{"mimeType":"image/gif","data":"aGk="},"mediaResolution":{"level":"L"}},)"
      R"({"fileData":{"fileUri":"gs://b/f","mimeType":"video/mp4"},"videoMetadata":{"fps":1}}]},)"
      R"({"role":"model","parts":[{"text":"t","thought":true},{"executableCode":{"code":"1"}},)"
      R"({"functionCall":{"name":"f","args":{"a":0.5}},"thoughtSignature":"c2ln"},)"
      R"({"functionCall":{"name":"g","args":{},"id":"fc2"}}]},)"
      R"({"role":"user","parts":[{"functionResponse":{"name":"f","response":{"result":[1]}}},)"
      R"({"functionResponse":{"name":"g","response":{"output":"x"},"id":"fc2","parts":[{"inlineData":)"
      R"({"mimeType":"image/png","data":"aGk="}}],"scheduling":"IDLE"}}]}],)"
      R"("toolConfig":{"functionCallingConfig":{"mode":"VALIDATED","allowedFunctionNames":["f"]},)"
      R"("retrievalConfig":{"languageCode":"en"}},)"
      R"("tools":[{"functionDeclarations":[{"name":"f","description":"F","parameters":{"type":"OBJECT",)"
      R"("properties":{"a":{"type":"NUMBER","nullable":true}},"propertyOrdering":["a"]}},)"
      R"({"name":"g","parametersJsonSchema":{"type":"object","additionalProperties":false},"behavior":"BLOCKING"}]},)"
      R"({"googleSearch":{"timeRangeFilter":{}}},{"urlContext":{}}],)"
      R"("generationConfig":{"maxOutputTokens":9,"temperature":2,"topP":0.5,"topK":100,"seed":7,"presencePenalty":1,)"
      R"("stopSequences":["1","2","3","4","5","6"],"thinkingConfig":{"includeThoughts":true,"thinkingBudget":512},)"
      R"("responseMimeType":"application/json","responseSchema":{"type":"STRING","nullable":true},)"
      R"("responseModalities":["TEXT"],"candidateCount":1},"safetySettings":[{"category":"C"}],"labels":{"a":"b"}})";
  EXPECT_EQ(Written(ReadGemini(body)), body);
}

TEST(GeminiCodecWritesRequest, TextSystemAndTurns) {
  EXPECT_EQ(WrittenForeign(R"({"systemInstruction":{"parts":[{"text":"You are a cat."},{"text":"Purr."}]},"contents":[
      {"parts":[{"text":"Hello"}]},{"role":"model","parts":[{"text":"Miau"}]},
      {"role":"system","parts":[{"text":"Now bark."}]},{"parts":[{"text":"Speak"}]}]})"),
            R"({"systemInstruction":{"parts":[{"text":"You are a cat."},{"text":"Purr."}]},"contents":[)"
            R"({"role":"user","parts":[{"text":"Hello"}]},{"role":"model","parts":[{"text":"Miau"}]},)"
            R"({"role":"user","parts":[{"text":"<system>\nNow bark.\n</system>"},{"text":"Speak"}]}]})");
}

TEST(GeminiCodecWritesRequest, Media) {
  ModelRequest request;
  request.origin = Format::kAnthropic;
  Message& user = request.messages.emplace_back();
  user.role = Role::kUser;
  const auto add = [&user](Media media) {
    Part& part = user.parts.emplace_back();
    part.kind = PartKind::kMedia;
    part.media = std::move(media);
  };
  add({Media::Source::kBase64, "image/jpg", "aGk=", "", "low"});
  add({Media::Source::kUrl, "image/*", "https://example.com/a.PNG?x=1", "", ""});
  add({Media::Source::kUrl, "image/*", "https://example.com/a", "", ""});
  add({Media::Source::kBase64, "image/gif", "aGk=", "", ""});
  add({Media::Source::kBase64, "application/pdf", "JVBE", "a.pdf", ""});
  add({Media::Source::kFileId, "", "file-1", "", ""});
  add({Media::Source::kBase64, "audio/mp3", "AAAA", "", ""});
  add({Media::Source::kUrl, "audio/wav", "ftp://x", "", ""});
  add({Media::Source::kText, "text/plain", "plain", "a.txt", ""});
  Notes notes;
  const std::string written = Written(request, kFlash, &notes);
  EXPECT_EQ(CheckGeminiRequest(written), "");
  EXPECT_EQ(written, R"({"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/jpeg","data":"aGk="}},)"
                     R"({"fileData":{"fileUri":"https://example.com/a.PNG?x=1","mimeType":"image/png"}},)"
                     R"({"fileData":{"fileUri":"https://example.com/a"}},{"text":"[image omitted]"},)"
                     R"({"inlineData":{"mimeType":"application/pdf","data":"JVBE"}},{"text":"[file omitted]"},)"
                     R"({"inlineData":{"mimeType":"audio/mp3","data":"AAAA"}},{"text":"[audio omitted]"},)"
                     R"({"text":"plain"}]}]})");
  EXPECT_EQ(notes, (Notes{"image_url.detail: dropped", "image: dropped, a mark stands in its place",
                          "file: dropped, a mark stands in its place", "audio: dropped, a mark stands in its place"}));
}

TEST(GeminiCodecWritesRequest, CallsAndResults) {
  ModelRequest request = Foreign(R"({"contents":[{"parts":[{"text":"Weather?"}]},{"role":"model","parts":[
      {"text":"hm","thought":true},
      {"functionCall":{"id":"call_1","name":"weather","args":{"city":"Paris"}},"thoughtSignature":"a+/b"},
      {"functionCall":{"id":"gid_fc1","name":"1 f"}}]},
      {"parts":[{"functionResponse":{"id":"call_1","name":"weather","response":{"output":"rain"}}},
        {"functionResponse":{"id":"gid_fc1","name":"1 f","response":{"error":"no"},"parts":[
          {"inlineData":{"mimeType":"image/png","data":"aGk="}}]}},{"text":"And?"}]}]})");
  request.messages[1].parts[2].text = "not json";
  Notes notes;
  const std::string written = Written(request, kFlash, &notes);
  EXPECT_EQ(CheckGeminiRequest(written), "");
  EXPECT_EQ(written,
            R"({"contents":[{"role":"user","parts":[{"text":"Weather?"}]},{"role":"model","parts":[)"
            R"({"functionCall":{"name":"weather","args":{"city":"Paris"}},"thoughtSignature":"a+/b"},)"
            R"({"functionCall":{"name":"_1_f_459f0518184aa776","args":{"raw_arguments":"not json"},"id":"fc1"}}]},)"
            R"({"role":"user","parts":[{"functionResponse":{"name":"weather","response":{"output":"rain"}}},)"
            R"({"functionResponse":{"name":"_1_f_459f0518184aa776","response":{"error":"no"},"id":"fc1"}}]},)"
            R"({"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"aGk="}},{"text":"And?"}]}]})");
  EXPECT_EQ(notes,
            (Notes{"messages.reasoning_content: dropped", "tool_calls.arguments: no JSON object, sent as raw_arguments",
                   "tools: names that Gemini does not take were changed"}));
}

TEST(GeminiCodecWritesRequest, ACustomToolIsAFunctionOfOneText) {
  ModelRequest request = Foreign(R"({"contents":[{"parts":[{"text":"hi"}]},
      {"role":"model","parts":[{"functionCall":{"id":"a","name":"patch"}}]},
      {"parts":[{"functionResponse":{"id":"a","name":"patch","response":{"output":"ok"}}}]}],
      "tools":[{"functionDeclarations":[{"name":"patch"}]}]})");
  request.messages[1].parts[0].custom = true;
  request.messages[1].parts[0].text = "*** \"Begin\"";
  request.tools[0].kind = Tool::Kind::kCustom;
  const std::string written = Written(request);
  EXPECT_EQ(CheckGeminiRequest(written), "");
  EXPECT_THAT(written, HasSubstr(R"({"functionCall":{"name":"patch","args":{"input":"*** \"Begin\""}}})"));
  EXPECT_THAT(written, HasSubstr(R"([{"name":"patch","parameters":{"type":"OBJECT","properties":{"input":)"
                                 R"({"type":"STRING"}},"required":["input"]}}])"));
}

TEST(GeminiCodecWritesRequest, SignaturesGoBackWithTheirParts) {
  ModelRequest request = Foreign(R"({"contents":[{"parts":[{"text":"hi"}]},{"role":"model","parts":[
      {"text":"t","thought":true,"thoughtSignature":"dDE="},{"text":"a","thoughtSignature":"dDI="},
      {"text":"","thoughtSignature":"dDM="},{"functionCall":{"id":"a","name":"f"}}]},
      {"parts":[{"functionResponse":{"id":"a","name":"f"}}]}]})");
  request.messages[1].parts[3].state.push_back(
      {StateKind::kChatExtraContent, R"({"google":{"thought_signature":"dDQ="}})"});
  request.messages[1].parts[1].state.insert(request.messages[1].parts[1].state.begin(),
                                            {StateKind::kAnthropicSignature, "sig"});
  EXPECT_THAT(
      Written(request),
      HasSubstr(R"([{"text":"t","thought":true,"thoughtSignature":"dDE="},{"text":"a","thoughtSignature":"dDI="},)"
                R"({"text":"","thoughtSignature":"dDM="},)"
                R"({"functionCall":{"name":"f","args":{}},"thoughtSignature":"dDQ="}])"));
}

TEST(GeminiCodecWritesRequest, CallsOfOtherModelsAreSignedWhereGeminiAsksForIt) {
  constexpr std::string_view kTurns = R"([{"parts":[{"text":"1"}]},
    {"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"parts":[{"functionResponse":{"name":"f"}}]},
    {"parts":[{"text":"2"}]},
    {"role":"model","parts":[{"functionCall":{"name":"f"}},{"functionCall":{"name":"g"}}]},
    {"parts":[{"functionResponse":{"name":"f"}},{"functionResponse":{"name":"g"}}]},
    {"role":"model","parts":[{"functionCall":{"name":"f"},"thoughtSignature":"cmVhbA=="}]},
    {"parts":[{"functionResponse":{"name":"f"}}]}])";
  EXPECT_EQ(Contents(kTurns).find("skip_"), std::string::npos) << "2.5 does not ask";
  for (const std::string_view model : {"gemini-3-pro-preview", "gemini-flash-latest", "gemini-10-x"}) {
    const json::value contents =
        ParseJson(Written(Foreign(R"({"contents":)" + std::string(kTurns) + "}"), model))->at("contents");
    const auto signature = [&contents](size_t turn, size_t part) {
      return FindText(contents.at(turn).at("parts").at(part).as_object(), "thoughtSignature");
    };
    EXPECT_EQ(signature(1, 0), "") << "an earlier turn";
    EXPECT_EQ(signature(4, 0), "skip_thought_signature_validator");
    EXPECT_EQ(signature(4, 1), "") << "only the first of parallel calls";
    EXPECT_EQ(signature(6, 0), "cmVhbA==");
  }
}

TEST(GeminiCodecWritesRequest, TheFirstIsTheUsers) {
  EXPECT_EQ(Contents(R"([{"role":"model","parts":[{"text":"a"}]}])"),
            R"([{"role":"user","parts":[{"text":"Continue."}]},{"role":"model","parts":[{"text":"a"}]}])");
  EXPECT_EQ(Contents(R"([{"role":"system","parts":[{"text":"only"}]}])"),
            R"([{"role":"user","parts":[{"text":"Continue."}]}])");
}

TEST(GeminiCodecWritesRequest, Tools) {
  ModelRequest request = Foreign(R"({"contents":[{"parts":[{"text":"hi"}]}],"tools":[{"functionDeclarations":[
      {"name":"get_current_weather","description":"Weather.","parametersJsonSchema":
        {"$schema":"s","type":"object","properties":{"location":{"type":"string"},"unit":{"enum":["c","f"]}},
         "required":["location"],"additionalProperties":false}},
      {"name":"now","parametersJsonSchema":{"type":"object","properties":{}}},{"name":"now"},{"name":"7up"}]},
      {"codeExecution":{}},{"googleSearch":{}}]})");
  request.tools[0].strict = true;
  Notes notes;
  const std::string written = Written(request, kFlash, &notes);
  EXPECT_EQ(CheckGeminiRequest(written), "");
  EXPECT_EQ(ToJson(ParseJson(written)->at("tools")),
            R"([{"functionDeclarations":[{"name":"get_current_weather","description":"Weather.","parameters":)"
            R"({"type":"OBJECT","properties":{"location":{"type":"STRING"},"unit":{"type":"STRING","enum":["c","f"]}},)"
            R"("required":["location"]}},{"name":"now"},{"name":"_7up_35beaf180fb5b78b"}]}])");
  EXPECT_EQ(notes, (Notes{"tools.strict: dropped", "tools: one without a name of its own was dropped",
                          "tools: one that is no function was dropped",
                          "web_search_options: dropped, Gemini searches only without functions",
                          "tools: names that Gemini does not take were changed"}));
  EXPECT_THAT(WrittenForeign(R"({"contents":[{"parts":[{"text":"news?"}]}],"tools":[{"googleSearch":{"x":1}}]})"),
              HasSubstr(R"("tools":[{"googleSearch":{}}])"));
}

TEST(GeminiCodecWritesRequest, ToolChoice) {
  const struct {
    ToolChoice::Kind kind;
    std::string name;
    std::vector<std::string> allowed;
    std::string config;
  } rows[] = {
      {ToolChoice::Kind::kAuto, "", {}, R"({"mode":"AUTO"})"},
      {ToolChoice::Kind::kNone, "", {}, R"({"mode":"NONE"})"},
      {ToolChoice::Kind::kAny, "", {}, R"({"mode":"ANY"})"},
      {ToolChoice::Kind::kTool, "f", {}, R"({"mode":"ANY","allowedFunctionNames":["f"]})"},
      {ToolChoice::Kind::kTool, "zzz", {}, R"({"mode":"AUTO"})"},
      {ToolChoice::Kind::kAny, "", {"g", "zzz"}, R"({"mode":"ANY","allowedFunctionNames":["g"]})"},
      {ToolChoice::Kind::kAuto, "", {"g"}, R"({"mode":"AUTO"})"},
  };
  for (const auto& row : rows) {
    ModelRequest request = Foreign(
        R"({"contents":[{"parts":[{"text":"hi"}]}],"tools":[{"functionDeclarations":[{"name":"f"},{"name":"g"}]}]})");
    request.tool_choice = {row.kind, row.name, row.allowed, std::nullopt};
    const std::string written = Written(request);
    EXPECT_EQ(CheckGeminiRequest(written), "");
    EXPECT_EQ(ToJson(ParseJson(written)->at("toolConfig").at("functionCallingConfig")), row.config);
    request.tools.clear();
    EXPECT_EQ(Written(request).find("toolConfig"), std::string::npos);
  }
}

TEST(GeminiCodecWritesRequest, Parameters) {
  EXPECT_EQ(WrittenForeign(R"({"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":5,
      "temperature":3,"topP":0.5,"topK":500,"seed":5000000000,"stopSequences":["a","","b","c","d","e","f"],
      "presencePenalty":1}})"),
            R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":5,)"
            R"("temperature":2,"topP":0.5,"topK":64,"stopSequences":["a","b","c","d","e"]}})");
}

TEST(GeminiCodecWritesRequest, Output) {
  constexpr std::string_view kConfig =
      R"("generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"type":"array"}})";
  const std::string with_hi = R"({"contents":[{"parts":[{"text":"hi"}]}],)";
  EXPECT_THAT(WrittenForeign(with_hi + std::string(kConfig) + "}"),
              HasSubstr(R"({"responseMimeType":"application/json","responseSchema":{"type":"ARRAY","items":)"
                        R"({"type":"STRING"}}})"));
  EXPECT_EQ(WrittenForeign(with_hi + R"("tools":[{"googleSearch":{}}],)" + std::string(kConfig) + "}").find("response"),
            std::string::npos);
}

TEST(GeminiCodecWritesRequest, Thinking) {
  using Mode = Reasoning::Mode;
  const struct {
    std::string model;
    Mode mode;
    uint64_t budget;
    std::string effort, config;
  } rows[] = {
      {"gemini-2.5-flash", Mode::kUnset, 0, "low", R"({"includeThoughts":true,"thinkingBudget":1024})"},
      {"gemini-2.5-flash", Mode::kAdaptive, 0, "medium", R"({"includeThoughts":true,"thinkingBudget":8192})"},
      {"gemini-2.5-flash", Mode::kAdaptive, 0, "", R"({"includeThoughts":true,"thinkingBudget":8192})"},
      {"gemini-2.5-flash", Mode::kBudget, 4000, "", R"({"includeThoughts":true,"thinkingBudget":8192})"},
      {"gemini-2.5-flash", Mode::kBudget, 9000, "", R"({"includeThoughts":true,"thinkingBudget":24576})"},
      {"gemini-2.5-flash", Mode::kOff, 0, "high", R"({"includeThoughts":false,"thinkingBudget":0})"},
      {"gemini-2.5-pro", Mode::kOff, 0, "", R"({"includeThoughts":false,"thinkingBudget":128})"},
      {"google/gemini-2.5-pro", Mode::kUnset, 0, "xhigh", R"({"includeThoughts":true,"thinkingBudget":24576})"},
      {"gemini-3-flash-preview", Mode::kUnset, 0, "minimal", R"({"includeThoughts":true,"thinkingLevel":"minimal"})"},
      {"gemini-3-flash-preview", Mode::kBudget, 1024, "", R"({"includeThoughts":true,"thinkingLevel":"low"})"},
      {"gemini-3-pro-preview", Mode::kUnset, 0, "minimal", R"({"includeThoughts":true,"thinkingLevel":"low"})"},
      {"gemini-3-pro-preview", Mode::kUnset, 0, "medium", R"({"includeThoughts":true,"thinkingLevel":"high"})"},
      {"gemini-3.1-pro-preview", Mode::kUnset, 0, "medium", R"({"includeThoughts":true,"thinkingLevel":"medium"})"},
      {"gemini-flash-latest", Mode::kUnset, 0, "max", R"({"includeThoughts":true,"thinkingLevel":"high"})"},
      {"gemini-2.5-flash", Mode::kUnset, 0, "", ""},
      {"gemini-2.0-flash", Mode::kUnset, 0, "high", ""},
      {"gemma-3-27b-it", Mode::kUnset, 0, "high", ""},
      {"gemini-2.5-flash-image", Mode::kUnset, 0, "high", ""},
  };
  for (const auto& row : rows) {
    ModelRequest request = Foreign(R"({"contents":[{"parts":[{"text":"hi"}]}]})");
    request.reasoning.mode = row.mode;
    if (row.mode == Mode::kBudget) request.reasoning.budget = row.budget;
    request.reasoning.effort = row.effort;
    const json::value written = ParseJson(Written(request, row.model)).value();
    const json::object* config = FindObject(written.as_object(), "generationConfig");
    EXPECT_EQ(config == nullptr ? "" : ToJson(config->at("thinkingConfig")), row.config) << row.model << row.effort;
  }
}

// A client of Gemini's that asks one kind of model in the words of the other.
TEST(GeminiCodecWritesRequest, ThinkingOfItsOwnClients) {
  const struct {
    std::string_view model, given, written;
  } rows[] = {
      {"gemini-2.5-pro", R"({"thinkingBudget":-1})", R"({"includeThoughts":false,"thinkingBudget":-1})"},
      {"gemini-3-pro", R"({"thinkingBudget":77,"includeThoughts":true})",
       R"({"includeThoughts":true,"thinkingBudget":77})"},
      {"gemini-3-pro", R"({"thinkingLevel":"LOW"})", R"({"includeThoughts":false,"thinkingLevel":"low"})"},
      {"gemini-2.5-pro", R"({"thinkingLevel":"LOW"})", R"({"includeThoughts":false,"thinkingBudget":1024})"},
      {"gemini-2.5-pro", R"({"includeThoughts":true})", R"({"includeThoughts":true})"},
  };
  for (const auto& row : rows) {
    const ModelRequest request = ReadMore(R"("generationConfig":{"thinkingConfig":)" + std::string(row.given) + "}");
    EXPECT_THAT(Written(request, row.model), HasSubstr("\"thinkingConfig\":" + std::string(row.written) + "}"));
  }
}

TEST(GeminiCodecWritesRequest, WhatIsDroppedIsNoted) {
  ModelRequest request = Foreign(R"({"contents":[{"parts":[{"text":"hi"}]}],"logit_bias":{},"n":2})");
  request.user = "u";
  request.sampling.frequency_penalty = 1;
  request.extra["extra"] = 7;
  Notes notes;
  EXPECT_EQ(Written(request, kFlash, &notes), R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}],"extra":7})");
  EXPECT_EQ(notes, (Notes{"frequency_penalty: dropped", "logitBias: dropped", "n: dropped", "user: dropped"}));
}

TEST(GeminiCodecWritesRequest, ArgumentsBeyondTheBudgetAreRefused) {
  ModelRequest request = Foreign(R"({"contents":[{"parts":[{"text":"hi"}]},
      {"role":"model","parts":[{"functionCall":{"name":"f"}},{"functionCall":{"name":"f"}}]}]})");
  for (Part& call : request.messages[1].parts) {
    call.text = R"({"a":[1)";
    for (size_t i = 0; i < kMaxJsonValues * 2 / 3; ++i) call.text += ",1";
    call.text += "]}";
  }
  Notes notes;
  EXPECT_EQ(gemini::Codec().WriteRequest(request, kFlash, &notes).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace ccr::proxy::gemini

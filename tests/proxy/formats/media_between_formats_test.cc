// Pictures and files of one format that go to a provider or a client of another.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "pairs.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy {
namespace {

// The content of the first message that the provider gets.
std::string Sent(Format client, Format provider, const std::string& body) {
  const absl::StatusOr<TranslatedRequest> request = MakePair(client, provider)->Request(body, "m", nullptr);
  if (!request.ok()) return std::string(request.status().message());
  const absl::StatusOr<json::value> sent = ParseJson(request->body);
  if (!sent.ok() || !sent->is_object()) return request->body;
  const json::array* messages = FindArray(sent->get_object(), provider == Format::kResponses ? "input" : "messages");
  return messages == nullptr ? request->body : ToJson(*Find((*messages)[0].as_object(), "content"));
}

std::string OfAnthropic(Format provider, const std::string& block) {
  return Sent(Format::kAnthropic, provider,
              R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[)" + block +
                  R"(,{"type":"text","text":"q"}]}]})");
}

std::string OfGemini(Format provider, const std::string& part) {
  return Sent(Format::kGemini, provider, R"({"contents":[{"role":"user","parts":[)" + part + R"(,{"text":"q"}]}]})");
}

std::string OfResponses(Format provider, const std::string& part) {
  return Sent(
      Format::kResponses, provider,
      R"({"model":"m","input":[{"role":"user","content":[)" + part + R"(,{"type":"input_text","text":"q"}]}]})");
}

// A text and the question behind it.
std::string Texts(std::string_view type, std::string_view text) {
  const std::string front = R"({"type":")" + std::string(type) + R"(","text":)";
  return "[" + front + JsonString(text) + "}," + front + R"("q"}])";
}

TEST(MediaBetweenFormats, AFileKeptElsewhereIsUnknownToOpenAi) {
  const std::string image = R"({"type":"image","source":{"type":"file","file_id":"file_011a"}})";
  const std::string document = R"({"type":"document","source":{"type":"file","file_id":"file_011d"}})";
  EXPECT_EQ(OfAnthropic(Format::kResponses, image), Texts("input_text", "[image omitted]"));
  EXPECT_EQ(OfAnthropic(Format::kResponses, document), Texts("input_text", "[file omitted]"));
  EXPECT_EQ(OfAnthropic(Format::kChat, image), Texts("text", "[image omitted]"));
}

TEST(MediaBetweenFormats, OpenAisOwnFilesStay) {
  const std::string file =
      R"({"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}]})";
  EXPECT_EQ(Sent(Format::kChat, Format::kResponses, file), R"([{"type":"input_file","file_id":"file-1"}])");
  const std::string cached = R"({"type":"input_image","file_id":"file-1"})";
  EXPECT_EQ(OfResponses(Format::kChat, cached), Texts("text", "[image omitted]"));
}

TEST(MediaBetweenFormats, AnAddressOfAStoreIsNoneOfTheWeb) {
  const std::string image = R"({"fileData":{"fileUri":"gs://b/x.png","mimeType":"image/png"}})";
  EXPECT_EQ(OfGemini(Format::kChat, image), Texts("text", "[image omitted]"));
  EXPECT_EQ(OfGemini(Format::kResponses, image), Texts("input_text", "[image omitted]"));
  const std::string file = R"({"fileData":{"fileUri":"gs://b/x.pdf","mimeType":"application/pdf"}})";
  EXPECT_EQ(OfGemini(Format::kResponses, file), Texts("input_text", "[file omitted]"));
  EXPECT_EQ(OfGemini(Format::kResponses, R"({"fileData":{"fileUri":"https://b/x.png","mimeType":"image/png"}})"),
            R"([{"type":"input_image","image_url":"https://b/x.png"},{"type":"input_text","text":"q"}])");
}

TEST(MediaBetweenFormats, WhatOpenAiDoesNotRead) {
  const auto part = [](std::string_view type) {
    return R"({"inlineData":{"mimeType":")" + std::string(type) + R"(","data":"AAAA"}})";
  };
  const auto in_chat = [&](std::string_view type) { return OfGemini(Format::kChat, part(type)); };
  const auto in_responses = [&](std::string_view type) { return OfGemini(Format::kResponses, part(type)); };
  EXPECT_EQ(in_chat("image/heic"), Texts("text", "[image omitted]"));
  EXPECT_EQ(in_responses("image/heic"), Texts("input_text", "[image omitted]"));
  EXPECT_EQ(in_chat("video/mp4"), Texts("text", "[video omitted]"));
  EXPECT_EQ(in_responses("video/mp4"), Texts("input_text", "[video omitted]"));
  EXPECT_EQ(in_chat("audio/flac"), Texts("text", "[audio omitted]"));
  EXPECT_EQ(in_responses("audio/flac"), Texts("input_text", "[audio omitted]"));
  EXPECT_EQ(OfGemini(Format::kResponses, R"({"fileData":{"fileUri":"https://b/x","mimeType":"audio/mp3"}})"),
            Texts("input_text", "[audio omitted]"));
  EXPECT_EQ(OfGemini(Format::kResponses, R"({"fileData":{"fileUri":"https://b/x","mimeType":"video/mp4"}})"),
            Texts("input_text", "[video omitted]"));
  for (const std::string type : {"image/png", "image/jpeg", "image/gif", "image/webp"}) {
    EXPECT_EQ(in_responses(type), R"([{"type":"input_image","image_url":"data:)" + type +
                                      R"(;base64,AAAA"},{"type":"input_text","text":"q"}])");
    EXPECT_EQ(in_chat(type), R"([{"type":"image_url","image_url":{"url":"data:)" + type +
                                 R"(;base64,AAAA"}},{"type":"text","text":"q"}])");
  }
  EXPECT_EQ(
      in_responses("audio/mp3"),
      R"([{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}},{"type":"input_text","text":"q"}])");
}

TEST(MediaBetweenFormats, ATextDocumentIsWrittenAsText) {
  const std::string text = R"({"inlineData":{"mimeType":"text/plain","data":"aGVsbG8=","displayName":"a.txt"}})";
  EXPECT_EQ(OfGemini(Format::kChat, text), JsonString("<document title=\"a.txt\">\nhello\n</document>\n\nq"));
  EXPECT_EQ(OfGemini(Format::kChat, R"({"inlineData":{"mimeType":"text/csv","data":"aGVsbG8="}})"),
            JsonString("<document>\nhello\n</document>\n\nq"));
  EXPECT_EQ(OfGemini(Format::kChat, R"({"inlineData":{"mimeType":"text/plain","data":"%"}})"),
            JsonString("<document>\n[document omitted]\n</document>\n\nq"));
  EXPECT_EQ(OfGemini(Format::kChat, R"({"inlineData":{"mimeType":"application/pdf","data":"AAAA"}})"),
            R"([{"type":"file","file":{"filename":"document.pdf","file_data":"data:application/pdf;base64,AAAA"}},)"
            R"({"type":"text","text":"q"}])");
}

// ---- Answers.

std::string Content(const absl::StatusOr<std::string>& answer) {
  if (!answer.ok()) return std::string(answer.status().message());
  const absl::StatusOr<json::value> parsed = ParseJson(*answer);
  return ToJson(*Find(parsed->as_object(), "content"));
}

TEST(MediaBetweenFormats, AnAnthropicClientIsToldOfAPictureItCannotHave) {
  const std::string picture =
      R"({"candidates":[{"content":{"role":"model","parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]},)"
      R"("finishReason":"STOP"}]})";
  const std::string mark = R"([{"type":"text","text":"[image omitted]"}])";
  EXPECT_EQ(Content(MakeAnthropicToGemini()->Response(picture, nullptr)), mark);
  const auto stream = MakeAnthropicToGemini()->Stream("m", {});
  std::string out;
  stream->Feed("data: " + picture + "\n\n", &out);
  stream->Finish(false, &out);
  EXPECT_NE(out.find(R"("text":"[image omitted]")"), out.npos) << out;
  const std::string chat = R"({"choices":[{"message":{"role":"assistant","content":"Here:","images":[)"
                           R"({"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},)"
                           R"("finish_reason":"stop"}]})";
  EXPECT_EQ(Content(MakeAnthropicToOpenAi()->Response(chat, nullptr)),
            R"([{"type":"text","text":"Here:"},{"type":"text","text":"[image omitted]"}])");
}

}  // namespace
}  // namespace ccr::proxy

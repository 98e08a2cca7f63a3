// What clients are told of the errors of providers of another format.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "pairs.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy {
namespace {

// The member of the error that a client gets.
std::string Told(Format client, Format provider, int status, std::string_view body, std::string_view member) {
  const absl::StatusOr<json::value> told = ParseJson(MakePair(client, provider)->Error(status, body));
  const json::object* error = told.ok() ? FindObject(told->as_object(), "error") : nullptr;
  const json::value* value = error == nullptr ? nullptr : Find(*error, member);
  return value == nullptr ? "none" : ToJson(*value);
}

TEST(ErrorsBetweenFormats, AStatusSaysMoreThanWordsThatSayLittle) {
  const struct {
    int status;
    std::string_view type, code, word;
  } rows[] = {
      {400, R"("invalid_request_error")", "400", R"("INVALID_ARGUMENT")"},
      {401, R"("authentication_error")", "401", R"("UNAUTHENTICATED")"},
      {402, R"("billing_error")", "402", R"("RESOURCE_EXHAUSTED")"},
      {403, R"("permission_error")", "403", R"("PERMISSION_DENIED")"},
      {404, R"("not_found_error")", "404", R"("NOT_FOUND")"},
      {413, R"("request_too_large")", "413", R"("INVALID_ARGUMENT")"},
      {429, R"("rate_limit_error")", "429", R"("RESOURCE_EXHAUSTED")"},
      {503, R"("overloaded_error")", "503", R"("UNAVAILABLE")"},
  };
  for (const std::string_view body :
       {R"({"error":{"message":"No","type":"invalid_request_error","param":null,"code":null}})",
        R"({"error":{"message":"No","type":"unknown_error","code":"invalid_request_error"}})",
        R"({"error":{"message":"No","code":400}})"}) {
    for (const auto& row : rows) {
      EXPECT_EQ(Told(Format::kAnthropic, Format::kChat, row.status, body, "type"), row.type) << row.status << body;
      EXPECT_EQ(Told(Format::kGemini, Format::kChat, row.status, body, "code"), row.code) << row.status << body;
      EXPECT_EQ(Told(Format::kGemini, Format::kChat, row.status, body, "status"), row.word) << row.status << body;
      EXPECT_EQ(Told(Format::kAnthropic, Format::kResponses, row.status, body, "type"), row.type) << row.status << body;
      EXPECT_EQ(Told(Format::kAnthropic, Format::kGemini, row.status, body, "type"), row.type) << row.status << body;
    }
  }
}

TEST(ErrorsBetweenFormats, WordsCountWhereTheStatusSaysNothing) {
  const std::string_view words = R"({"error":{"message":"No","type":"invalid_request_error","code":null}})";
  EXPECT_EQ(Told(Format::kAnthropic, Format::kChat, 500, words, "type"), R"("invalid_request_error")");
  const std::string_view number = R"({"error":{"message":"No","code":"429"}})";
  EXPECT_EQ(Told(Format::kAnthropic, Format::kChat, 500, number, "type"), R"("rate_limit_error")");
  EXPECT_EQ(Told(Format::kGemini, Format::kChat, 500, number, "code"), "429");
}

TEST(ErrorsBetweenFormats, AFullContextIsToldWithItsNumbers) {
  const std::string_view body =
      R"({"object":"error","message":"Requested token count exceeds the model's maximum context length of 65536 )"
      R"(tokens. You requested a total of 70000 tokens: 60000 tokens from the input messages and 10000 tokens for the )"
      R"(completion.","type":"BadRequestError","code":400})";
  EXPECT_EQ(Told(Format::kAnthropic, Format::kChat, 400, body, "message"),
            R"("input length and `max_tokens` exceed context limit: 60000 + 10000 > 65536")");
}

TEST(ErrorsBetweenFormats, BothFormatsOfOpenAiAreToldTheSame) {
  for (const int status : {400, 401, 402, 403, 404, 408, 413, 429, 500, 502, 503, 504, 529}) {
    for (const std::string_view body : {R"({"error":{"message":"No","status":"RESOURCE_EXHAUSTED"}})",
                                        R"({"error":{"message":"prompt is too long"}})", "", "<html>"}) {
      EXPECT_EQ(MakePair(Format::kChat, Format::kGemini)->Error(status, body),
                MakePair(Format::kResponses, Format::kGemini)->Error(status, body));
    }
  }
}

}  // namespace
}  // namespace ccr::proxy

#include "proxy/core/evidence/no_answer.h"

#include <gtest/gtest.h>

#include <string>

namespace ccr::proxy {
namespace {

// "" = an answer, the error as it is, or in brackets why there is none.
std::string Find(std::string_view body, std::string_view promised = {}) {
  const std::optional<NoAnswer> none = FindNoAnswer(body, promised);
  if (!none) return "";
  return none->error.empty() ? "[" + none->why + "]" : none->error;
}

TEST(FindNoAnswer, Answers) {
  for (
      const char* answer : {
          // OpenAI, Azure, OpenRouter, MiniMax.
          R"({"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},
               "finish_reason":"stop"}],"usage":{"prompt_tokens":1}})",
          R"({"choices":[{"message":{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]}}],"error":null})",
          R"({"choices":[{"message":{"content":""},"finish_reason":"length"}]})",
          R"({"choices":[{"message":{"content":"the \"error\" has a \"code\""}}]})",
          R"({"choices":[{"message":{"content":"hi"}}],"error":{"message":"a warning"}})",
          R"({"choices":[{"text":"hi"}],"error":""})",
          R"({"choices":[{"message":{"content":"hi"}}],"prompt_filter_results":[{"error":{"code":"x"}}]})",
          R"({"choices":[{"message":{"content":"hi"},"content_filter_results":{"error":{"code":"e","message":"m"}}}]})",
          R"({"choices":[{"message":{"content":""}}],"base_resp":{"status_code":0,"status_msg":"success"}})",
          R"({"choices":[{"message":{"content":"hi"}}],"base_resp":{"status_code":1027,"status_msg":"sensitive"}})",
          R"({"choices":[{"message":{"content":"hi"}}],"code":"x","message":"m"})",
          // Anthropic.
          R"({"type":"message","role":"assistant","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn"})",
          R"({"type":"message","content":[],"stop_reason":"end_turn"})",
          R"({"input_tokens":7})",
          // Gemini, a blocked prompt too.
          R"({"candidates":[{"content":{"parts":[{"text":"hi"}]}}]})",
          R"({"promptFeedback":{"blockReason":"SAFETY"}})",
          R"([{"candidates":[]},{"error":{"code":1}}])",
          // Responses, embeddings, lists.
          R"({"object":"response","status":"completed","error":null,"output":[{"type":"message"}]})",
          R"({"object":"response","status":"failed","error":{"code":"server_error"},"output":[{"type":"message"}]})",
          R"({"object":"list","data":[{"embedding":[1]}]})",
          R"({"code":20000,"message":"OK","status":true,"data":[{"id":"m"}]})",
          R"({"code":0,"message":"ok","data":{}})",
          R"({"code":"success","message":"ok"})",
          R"({"success":true,"code":7,"message":"m"})",
          R"({"code":7})",
          "{}",
          "[]",
          R"({"errors":[]})",
          R"({"error":{}})",
          R"({"error":false})",
          "text",
      })
    EXPECT_EQ(Find(answer), "") << answer;
  EXPECT_EQ(Find(R"({"choices":[],"usage":{}})"), "") << "of a format without choices";
  // Errors in which nothing is said, codes of success.
  for (const char* answer : {
           R"({"choices":[{"message":{"content":""}}],"error":{"message":"","type":"","param":null,"code":null}})",
           R"({"choices":[{"message":{"content":""}}],"error":{"code":0,"details":{}}})",
           R"({"choices":[{"message":{"content":""}}],"code":"SUCCESS","message":"fine"})",
           R"({"choices":[{"message":{"content":""}}],"code":20000,"message":"Ok"})",
       })
    EXPECT_EQ(Find(answer, "choices"), "") << answer;
}

TEST(FindNoAnswer, Errors) {
  for (const char* error : {
           R"({"error":{"code":429,"message":"m"}})",
           R"({"id":"gen-1","error":{"code":429,"message":"m"},"choices":[]})",
           R"({"id":"g","choices":[{"finish_reason":"error","message":{"content":""}}],"error":{"code":502}})",
           R"({"message":"m","error":"gone"})",
           R"({"message":"m","error":true})",
           R"({"type":"error","error":{"type":"overloaded_error"}})",
           R"({"object":"response","status":"failed","error":{"code":"server_error"},"output":[]})",
           R"({"choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}})",
           R"({"base_resp":{"status_code":1004}})",
           R"({"code":1000,"msg":"Authentication Failed","success":false})",
           R"({"code":"1113","success":false})",
           R"({"code":30001,"message":"Sorry, your account balance is insufficient","data":null})",
           R"({"code":"InvalidApiKey","message":"No API-key provided.","request_id":"r"})",
           R"({"error":{"code":502}})",
           R"({"error":{"innererror":{"code":"x"}}})",
           R"({"error_code":17,"error_msg":"Open api daily request limit reached"})",
       })
    EXPECT_EQ(Find(error), error);
  EXPECT_EQ(Find("\r\n {\n \"error\" : \"gone\"}"), "{\n \"error\" : \"gone\"}");
  EXPECT_EQ(Find(R"({"choices":[{"finish_reason":"error","message":{"content":""},"error":{"code":502}}]})"),
            R"({"error":{"code":502}})");
  EXPECT_EQ(Find(R"({"choices":[{"message":{"content":"begun"},"error":{"code":502}}]})"), "");
  EXPECT_EQ(Find(R"([{"error":{"code":503}}])"), R"({"error":{"code":503}})");
  EXPECT_EQ(Find(R"({"object":"error","message":"m","code":40303})"),
            R"({"error":{"object":"error","message":"m","code":40303}})");
}

TEST(FindNoAnswer, Nothing) {
  for (const char* empty : {"", " \r\n\t"}) EXPECT_EQ(Find(empty), "[an empty body]");
  for (const char* page : {"<html>", "\n<!DOCTYPE html><html></html>", "\xEF\xBB\xBF<?xml version=\"1.0\"?>"})
    EXPECT_EQ(Find(page), "[a page of HTML or XML]");
  EXPECT_EQ(Find("<html>" + std::string(100'000, 'x')), "[a page of HTML or XML]");
  for (const char* none : {R"({"choices":null})", R"({"id":"1","choices" : [ ],"usage":{}})"})
    EXPECT_EQ(Find(none, "choices"), "[no choices]");
}

TEST(FindNoAnswer, WhatTheFormatPromises) {
  for (const char* none : {"{}", "[]", "null", "ok", R"("")", R"({"success":false})", R"({"id":"c","usage":{}})",
                           R"({"status":500,"result":null})", R"({"request_id":"r","status":"failed"})"}) {
    EXPECT_EQ(Find(none, "choices"), "[no choices]") << none;
    EXPECT_EQ(Find(none, "content"), "[no content]") << none;
    EXPECT_EQ(Find(none), "") << none;
  }
  for (const char* error :
       {R"({"detail":"Not authenticated"})", R"({"message":"Unauthorized"})", R"({"success":false,"message":"m"})",
        R"({"errors":[{"message":"m","code":10000}],"success":false,"result":null})"})
    EXPECT_EQ(Find(error, "choices"), error);
  EXPECT_EQ(Find(R"({"type":"message","content":null})", "content"), "[no content]");
  EXPECT_EQ(Find(R"({"type":"message","content":[],"stop_reason":"end_turn"})", "content"), "");
  for (const char* none : {R"({"candidates":[]})", R"({"usageMetadata":{"promptTokenCount":3}})"})
    EXPECT_EQ(Find(none, "candidates"), "[no candidates]");
  EXPECT_EQ(Find(R"({"promptFeedback":{"blockReason":"SAFETY"}})", "candidates"), "");
  EXPECT_EQ(Find(R"([{"candidates":[{"content":{}}]}])", "candidates"), "");
  EXPECT_EQ(Find(R"({"object":"list","data":[]})", "data"), "");
  EXPECT_EQ(Find(R"({"object":"list"})", "data"), "[no data]");
  EXPECT_EQ(Find(R"({"request_id":"r"})", "choices"), "") << "to be asked for later";
  EXPECT_EQ(Find("data: {\"choices\":[],\"x\":1}\n\ndata: {\"choices\":[{}]}\n\n", "choices"), "") << "not to be read";
}

TEST(FindNoAnswer, TheBeginningOfADocument) {
  for (const char* cut : {"{", R"({"error":{"code":)", R"({"choices":[{"message":{"content":"hi"}}]  )", "[{}"})
    EXPECT_EQ(Find(cut, "choices"), "[the beginning of a JSON document]") << cut;
  EXPECT_EQ(Find(R"({"choices":[{"text":"hi"}]})"
                 " \r\n",
                 "choices"),
            "");
}

}  // namespace
}  // namespace ccr::proxy

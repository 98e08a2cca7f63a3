#include "proxy/core/target.h"

#include <gtest/gtest.h>

#include <string>

namespace ccr::proxy {
namespace {

TEST(ParseTarget, Endpoints) {
  const struct {
    std::string method, target;
    Endpoint endpoint;
    std::string query;
  } cases[] = {
      {"POST", "/v1/messages", Endpoint::kMessages, ""},
      {"POST", "/v1/messages?beta=true", Endpoint::kMessages, "beta=true"},
      {"POST", "/v1/messages?a=?b", Endpoint::kMessages, "a=?b"},
      {"POST", "/v1/messages/count_tokens?", Endpoint::kCountTokens, ""},
      {"POST", "/v1/chat/completions", Endpoint::kChatCompletions, ""},
      {"POST", "/v1/responses", Endpoint::kResponses, ""},
      {"POST", "/v1/embeddings", Endpoint::kEmbeddings, ""},
      {"GET", "/v1/models?limit=1000", Endpoint::kModels, "limit=1000"},
      {"HEAD", "/v1/models", Endpoint::kModels, ""},
      {"GET", "/", Endpoint::kRoot, ""},
      {"HEAD", "/?x", Endpoint::kRoot, "x"},
      {"GET", "/health", Endpoint::kHealth, ""},
      {"HEAD", "/health", Endpoint::kHealth, ""},
      {"GET", "/v1beta/models?pageSize=5", Endpoint::kGeminiModels, "pageSize=5"},
      {"POST", "/v1beta/models", Endpoint::kMethodNotAllowed, ""},
      {"GET", "/v1/models/m:generateContent", Endpoint::kMethodNotAllowed, ""},
      {"POST", "/v1/models/m", Endpoint::kMethodNotAllowed, ""},
      {"POST", "/v1beta/models/m:embedContent", Endpoint::kNotFound, ""},
      {"POST", "/v1beta/models/:generateContent", Endpoint::kNotFound, ""},
      {"POST", "/v1beta/models/%zz:generateContent", Endpoint::kNotFound, ""},
      {"GET", "/v1/models/", Endpoint::kNotFound, ""},
      {"GET", "/v1/messages", Endpoint::kMethodNotAllowed, ""},
      {"post", "/v1/messages", Endpoint::kMethodNotAllowed, ""},
      {"POST", "/health", Endpoint::kMethodNotAllowed, ""},
      {"OPTIONS", "/p/x/y", Endpoint::kMethodNotAllowed, ""},
      {"CONNECT", "/p/x/y", Endpoint::kMethodNotAllowed, ""},
      {"POST", "/v1/messages/", Endpoint::kNotFound, ""},
      {"POST", "/v1/Messages", Endpoint::kNotFound, ""},
      {"GET", "", Endpoint::kNotFound, ""},
      {"GET", "*", Endpoint::kNotFound, ""},
      {"GET", "http:///health", Endpoint::kNotFound, ""},
      {"GET", "ftp://host/health", Endpoint::kNotFound, ""},
      {"GET", "/p/", Endpoint::kNotFound, ""},
      {"GET", "/p", Endpoint::kNotFound, ""},
      {"GET", "/p//x", Endpoint::kNotFound, ""},
      {"GET", "/p/a%2/x", Endpoint::kNotFound, ""},
      {"GET", "/p/a%zz/x", Endpoint::kNotFound, ""},
  };
  for (const auto& c : cases) {
    const Target target = ParseTarget(c.method, c.target);
    EXPECT_EQ(target.endpoint, c.endpoint) << c.method << " " << c.target;
    EXPECT_EQ(target.query, c.query) << c.target;
  }
}

TEST(ParseTarget, AbsoluteForm) {
  const struct {
    std::string target;
    Endpoint endpoint;
    std::string authority, query;
  } cases[] = {
      {"http://host:1/health", Endpoint::kHealth, "host:1", ""},
      {"HTTPS://host/v1/models?limit=1", Endpoint::kModels, "host", "limit=1"},
      {"http://host", Endpoint::kRoot, "host", ""},
      {"http://host?x", Endpoint::kRoot, "host", "x"},
      {"http://user@host/", Endpoint::kRoot, "user@host", ""},
      {"http://host/nowhere", Endpoint::kNotFound, "host", ""},
      {"/health?u=http://host", Endpoint::kHealth, "", "u=http://host"},
  };
  for (const auto& c : cases) {
    const Target target = ParseTarget("GET", c.target);
    EXPECT_EQ(target.endpoint, c.endpoint) << c.target;
    EXPECT_EQ(target.authority, c.authority) << c.target;
    EXPECT_EQ(target.query, c.query) << c.target;
  }
  EXPECT_EQ(ParseTarget("GET", "http://host/p/x/y/z?q").rest, "y/z");
}

TEST(ParseTarget, NamesTheAllowedMethods) {
  EXPECT_EQ(ParseTarget("GET", "/v1/messages").allow, "POST");
  EXPECT_EQ(ParseTarget("PUT", "/").allow, "GET, HEAD");
  EXPECT_EQ(ParseTarget("TRACE", "/p/x/y").allow, "GET, HEAD, POST, PUT, PATCH, DELETE");
  EXPECT_EQ(ParseTarget("POST", "/v1/messages").allow, "");
}

TEST(ParseTarget, ModelsInThePath) {
  const struct {
    std::string method, target;
    Endpoint endpoint;
    std::string model;
  } cases[] = {
      {"POST", "/v1beta/models/m:generateContent", Endpoint::kGenerate, "m"},
      {"POST", "/v1beta/models/m:streamGenerateContent?alt=sse", Endpoint::kStreamGenerate, "m"},
      {"POST", "/v1beta/models/m:countTokens", Endpoint::kGeminiCount, "m"},
      {"POST", "/v1/models/a%2Cb:c:generateContent", Endpoint::kGenerate, "a,b:c"},
      {"POST", "/v1beta/models/deepseek,deepseek-ai/V3:generateContent", Endpoint::kGenerate,
       "deepseek,deepseek-ai/V3"},
      {"GET", "/v1/models/gpt-5", Endpoint::kModel, "gpt-5"},
      {"GET", "/v1/models/p%2Cqwen3:32b", Endpoint::kModel, "p,qwen3:32b"},
      {"HEAD", "/v1beta/models/m", Endpoint::kGeminiModel, "m"},
  };
  for (const auto& c : cases) {
    const Target target = ParseTarget(c.method, c.target);
    EXPECT_EQ(target.endpoint, c.endpoint) << c.target;
    EXPECT_EQ(target.model, c.model) << c.target;
  }
}

TEST(ParseTarget, Passthrough) {
  for (const std::string method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}) {
    const Target target = ParseTarget(method, "/p/my%20prov%2Fider/v1/files%2Fx/?a=b");
    EXPECT_EQ(target.endpoint, Endpoint::kPassthrough);
    EXPECT_EQ(target.provider, "my prov/ider");
    EXPECT_EQ(target.rest, "v1/files%2Fx/");
    EXPECT_EQ(target.query, "a=b");
  }
  EXPECT_EQ(ParseTarget("GET", "/p/x").provider, "x");
  EXPECT_EQ(ParseTarget("GET", "/p/x").rest, "");
  EXPECT_EQ(ParseTarget("GET", "/p/x?q").query, "q");
}

std::string Url(std::string_view base, std::string_view method, std::string_view target) {
  const Target parsed = ParseTarget(method, target);
  const auto url = UpstreamUrl(base, parsed.endpoint, parsed);
  return url.ok() ? *url : std::string(absl::StatusCodeToString(url.status().code()));
}

TEST(UpstreamUrl, Endpoints) {
  const std::string chat = "https://h/api/v1/chat/completions";
  const std::string messages = "https://h/v1/messages";
  EXPECT_EQ(Url(chat, "POST", "/v1/chat/completions"), chat);
  EXPECT_EQ(Url(chat, "POST", "/v1/chat/completions?a=1&b"), chat + "?a=1&b");
  EXPECT_EQ(Url(chat, "POST", "/v1/responses"), "https://h/api/v1/responses");
  EXPECT_EQ(Url(chat, "POST", "/v1/embeddings?x"), "https://h/api/v1/embeddings?x");
  EXPECT_EQ(Url(chat, "GET", "/v1/models"), "https://h/api/v1/models");
  EXPECT_EQ(Url("https://h/v1/responses", "POST", "/v1/chat/completions"), "https://h/v1/chat/completions");
  EXPECT_EQ(Url("https://h/chat/completions", "POST", "/v1/responses"), "https://h/responses");
  EXPECT_EQ(Url(messages, "POST", "/v1/messages?beta=true"), messages + "?beta=true");
  EXPECT_EQ(Url(messages, "POST", "/v1/messages/count_tokens?beta=true"), messages + "/count_tokens?beta=true");
  EXPECT_EQ(Url("https://h/messages", "POST", "/v1/messages/count_tokens"), "https://h/messages/count_tokens");
  EXPECT_EQ(Url("https://h/v1/messages/", "POST", "/v1/messages/count_tokens"), "https://h/v1/messages/count_tokens");
  EXPECT_EQ(Url("https://h/v1/messages/#frag", "POST", "/v1/messages"), "https://h/v1/messages/");
}

TEST(UpstreamUrl, UnknownEnds) {
  EXPECT_EQ(Url("https://h/generate", "POST", "/v1/messages"), "https://h/generate");
  EXPECT_EQ(Url("https://h/generate", "POST", "/v1/chat/completions?q"), "https://h/generate?q");
  EXPECT_EQ(Url("https://h/generate", "POST", "/v1/responses"), "INVALID_ARGUMENT");
  EXPECT_EQ(Url("https://h/generate", "POST", "/v1/messages/count_tokens"), "INVALID_ARGUMENT");
  EXPECT_EQ(Url("https://h/v1/messages", "GET", "/health"), "INVALID_ARGUMENT");
}

TEST(UpstreamUrl, QueriesOfBothSides) {
  const std::string base = "https://h/openai/d/chat/completions?api-version=1&k=v";
  EXPECT_EQ(Url(base, "POST", "/v1/chat/completions"), base);
  EXPECT_EQ(Url(base, "POST", "/v1/embeddings?z"), "https://h/openai/d/embeddings?api-version=1&k=v&z");
  EXPECT_EQ(Url(base, "POST", "/v1/chat/completions?api-version=2"),
            "https://h/openai/d/chat/completions?k=v&api-version=2");
}

TEST(UpstreamUrl, Passthrough) {
  const std::string chat = "https://h/api/v1/chat/completions";
  EXPECT_EQ(Url(chat, "GET", "/p/x/models"), "https://h/api/v1/models");
  EXPECT_EQ(Url(chat, "GET", "/p/x/v1/models"), "https://h/api/v1/models");
  EXPECT_EQ(Url(chat, "GET", "/p/x/v1"), "https://h/api/v1");
  EXPECT_EQ(Url(chat, "GET", "/p/x/v1beta/models"), "https://h/api/v1/v1beta/models");
  EXPECT_EQ(Url(chat, "GET", "/p/x/models/?limit=2"), "https://h/api/v1/models/?limit=2");
  EXPECT_EQ(Url(chat, "GET", "/p/x"), "https://h/api/v1");
  EXPECT_EQ(Url("https://h/v1/messages", "POST", "/p/x/v1/messages/batches"), "https://h/v1/messages/batches");
  EXPECT_EQ(Url("https://h/v1beta/models/", "POST", "/p/x/g:generateContent"),
            "https://h/v1beta/models/g:generateContent");
  EXPECT_EQ(Url("https://h/v1beta/models", "GET", "/p/x/models/g"), "https://h/v1beta/models/models/g");
  EXPECT_EQ(Url("https://h/chat/completions", "GET", "/p/x/v1/models"), "https://h/v1/models");
  EXPECT_EQ(Url("https://h/v1/chat/completions?api-version=1", "GET", "/p/x/models?a=b"),
            "https://h/v1/models?api-version=1&a=b");
  EXPECT_EQ(Url(chat, "GET", "/p/x/models/meta%2Fllama%20a..b/...?u=http://y/../z"),
            "https://h/api/v1/models/meta%2Fllama%20a..b/...?u=http://y/../z");
}

TEST(UpstreamUrl, PassthroughStaysInside) {
  for (const std::string rest : {"..",
                                 "../admin",
                                 "a/../b",
                                 "a/..",
                                 "./a",
                                 "a/.",
                                 "%2e%2e/a",
                                 "a/%2E%2e",
                                 ".%2e/a",
                                 "%252e%252e/a",
                                 "a%2f..%2fb",
                                 "a%2f%2e%2e",
                                 "..;x/a",
                                 "a//b",
                                 "/a",
                                 "//evil/x",
                                 "a/%2f/b",
                                 "http://evil",
                                 "https:%2f%2fevil",
                                 "a\\..\\b",
                                 "..%5cb",
                                 "a%5c%2e%2e",
                                 "a%00b",
                                 "a%0d%0ab",
                                 "a b",
                                 "a\nb",
                                 "a%",
                                 "a%2",
                                 "%25252e%25252e/a",
                                 "a#b",
                                 "..%3bx/a",
                                 "%2525zz/..",
                                 "a%7f"}) {
    Target target;
    target.endpoint = Endpoint::kPassthrough;
    target.rest = rest;
    EXPECT_EQ(UpstreamUrl("https://h/v1/messages", Endpoint::kPassthrough, target).status().code(),
              absl::StatusCode::kInvalidArgument)
        << rest;
  }
}

TEST(GeminiUrl, NamesModelAndMethod) {
  const std::string base = "https://h/v1beta/models/";
  EXPECT_EQ(GeminiUrl(base, "gemini-2.5-flash", "generateContent", ""),
            "https://h/v1beta/models/gemini-2.5-flash:generateContent");
  EXPECT_EQ(GeminiUrl(base, "gemini-2.5-flash", "streamGenerateContent", "alt=sse"),
            "https://h/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse");
  EXPECT_EQ(GeminiUrl("https://h/v1beta/models", "m", "countTokens", ""), "https://h/v1beta/models/m:countTokens");
  EXPECT_EQ(GeminiUrl("https://h/v1beta", "m", "generateContent", ""), "https://h/v1beta/models/m:generateContent");
  EXPECT_EQ(GeminiUrl("https://h/v1beta/models/?a=b&alt=json", "m", "streamGenerateContent", "alt=sse"),
            "https://h/v1beta/models/m:streamGenerateContent?a=b&alt=sse");
}

TEST(GeminiUrl, EscapesTheModel) {
  EXPECT_EQ(GeminiUrl("https://h/models", "../x?a#b:\xC3\xA9", "generateContent", ""),
            "https://h/models/..%2Fx%3Fa%23b%3A%C3%A9:generateContent");
}

TEST(GeminiPassthroughUrl, KeepsThePath) {
  Target target;
  target.endpoint = Endpoint::kPassthrough;
  target.rest = "v1beta/models/m:countTokens";
  target.query = "alt=sse&keys=1";
  EXPECT_EQ(GeminiPassthroughUrl("https://h/v1beta/models/", target).value(),
            "https://h/v1beta/models/m:countTokens?alt=sse&keys=1");
  target.query = "";
  target.rest = "models/m:countTokens";
  EXPECT_EQ(GeminiPassthroughUrl("https://h/v1beta/models/?a=b", target).value(),
            "https://h/v1beta/models/m:countTokens?a=b");
  target.rest = "files";
  EXPECT_EQ(GeminiPassthroughUrl("https://h/v1beta", target).value(), "https://h/v1beta/files");
  target.rest = "../x";
  EXPECT_EQ(GeminiPassthroughUrl("https://h/v1beta", target).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ccr::proxy

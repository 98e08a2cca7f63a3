// By which name the bound of an answer goes to a provider of Chat Completions.
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "proxy/formats/conversation/fit.h"
#include "proxy/formats/conversation/request.h"

namespace ccr::proxy {
namespace {

using Name = ProviderRules::MaxTokens;

// What is written: max_tokens, or else the member that Fit() sets, or else the client's own.
std::string Written(const ModelRequest& request) {
  std::string text;
  if (request.max_tokens)
    text +=
        (request.own.contains("max_completion_tokens") ? "own:" : "max_tokens:") + std::to_string(*request.max_tokens);
  if (const json::value* extra = request.extra.if_contains("max_completion_tokens"))
    text += "max_completion_tokens:" + json::serialize(*extra);
  return text;
}

struct NameRow {
  Format origin;
  bool completion;  // the client says max_completion_tokens
  Name rule;
  std::string written;
  bool changed;  // where both formats are one
};

TEST(MaxTokensRule, TheProvidersName) {
  const NameRow rows[] = {
      {Format::kAnthropic, false, Name::kDefault, "max_tokens:9", false},
      {Format::kAnthropic, false, Name::kMaxTokens, "max_tokens:9", false},
      {Format::kAnthropic, false, Name::kMaxCompletionTokens, "max_completion_tokens:9", false},
      {Format::kChat, false, Name::kDefault, "max_tokens:9", false},
      {Format::kChat, true, Name::kDefault, "own:9", false},
      {Format::kChat, true, Name::kMaxTokens, "max_tokens:9", true},
      {Format::kChat, false, Name::kMaxCompletionTokens, "max_completion_tokens:9", true},
      {Format::kChat, true, Name::kMaxCompletionTokens, "max_completion_tokens:9", false},
  };
  for (const NameRow& row : rows) {
    ModelRequest request;
    request.origin = row.origin;
    request.max_tokens = 9;
    if (row.completion) request.own["max_completion_tokens"] = 9;
    ProviderRules rules;
    rules.max_tokens = row.rule;
    Notes notes;
    if (row.origin == Format::kChat) {
      EXPECT_EQ(FitSame(rules, false, &request, &notes), row.changed) << row.written;
    } else {
      Fit(rules, Format::kChat, &request, &notes);
    }
    EXPECT_EQ(Written(request), row.written);
  }
}

TEST(MaxTokensRule, NoneStaysNone) {
  ModelRequest request;
  request.origin = Format::kChat;
  ProviderRules rules;
  rules.max_tokens = Name::kMaxCompletionTokens;
  Notes notes;
  EXPECT_FALSE(FitSame(rules, false, &request, &notes));
  EXPECT_EQ(Written(request), "");
}

}  // namespace
}  // namespace ccr::proxy

// What providers really answer, one row each.
#include "broker/core/verdict/provider_words.h"

#include <set>
#include <string>
#include <vector>

#include "broker/core/verdict/outcome.h"
#include "gtest/gtest.h"

namespace ccr::core {
namespace {

struct Answer {
  std::string name;
  int status;
  std::string type, code, message;
  Outcome outcome;
  std::string reason;
  Doubt doubt = Doubt::kNone;
  Outcome if_key = Outcome::kCallerFault;
  int stands_for = 0;  // of errors inside a 200
};

Evidence EvidenceOf(const Answer& answer) {
  Evidence evidence;
  evidence.http_status = answer.status;
  evidence.error_type = answer.type;
  evidence.error_code = answer.code;
  evidence.message = answer.message;
  evidence.error_in_answer = answer.status == 200;
  return evidence;
}

void Expect(const std::vector<Answer>& answers) {
  for (const Answer& answer : answers) {
    const Verdict verdict = Classify(EvidenceOf(answer));
    EXPECT_EQ(ToString(verdict.outcome), ToString(answer.outcome)) << answer.name;
    EXPECT_EQ(verdict.reason, answer.reason) << answer.name;
    EXPECT_EQ(static_cast<int>(verdict.doubt), static_cast<int>(answer.doubt)) << answer.name;
    if (answer.doubt != Doubt::kNone && answer.doubt != Doubt::kThisRequest && answer.doubt != Doubt::kUnbooked) {
      EXPECT_EQ(ToString(verdict.if_key), ToString(answer.if_key)) << answer.name;
    }
    EXPECT_EQ(verdict.http_status, answer.stands_for != 0 ? answer.stands_for : answer.status) << answer.name;
  }
}

TEST(ProviderWordsTest, AnAccountsOrAKeysOwnFault) {
  constexpr auto kIre = "invalid_request_error";
  Expect({
      {"Groq", 400, kIre, "organization_restricted", "Organization has been restricted.", Outcome::kAuth,
       "organization_restricted", Doubt::kKey, Outcome::kAuth},
      {"Anthropic, limits", 400, kIre, "",
       "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
       Outcome::kQuota, "usage_limit_reached"},
      {"Anthropic, credit", 400, kIre, "", "Your credit balance is too low to access the Anthropic API.",
       Outcome::kQuota, "credit_balance_too_low"},
      {"Anthropic, OAuth", 403, "permission_error", "",
       "OAuth authentication is currently not allowed for this organization.", Outcome::kPermission, "http_403",
       Doubt::kKey, Outcome::kPermission},
      {"Anthropic, disabled", 400, kIre, "", "This organization has been disabled.", Outcome::kAuth,
       "organization_disabled", Doubt::kKey, Outcome::kAuth},
      {"DashScope", 400, "Arrearage", "Arrearage", "Access denied, please make sure your account is in good standing.",
       Outcome::kQuota, "arrearage"},
      {"OpenRouter, key", 403, "", "403", "Key limit exceeded (monthly limit). Manage it using ...", Outcome::kQuota,
       "usage_limit_reached"},
      {"OpenRouter, credits", 402, "", "402", "Insufficient credits", Outcome::kQuota, "insufficient_credits"},
      {"OpenRouter, moderation", 403, "moderation", "403", "Your input was flagged", Outcome::kCallerFault, "http_403"},
      {"xAI, 403", 403, "", "personal-team-blocked:spending-limit", "You have run out of credits.", Outcome::kQuota,
       "spending_limit_reached"},
      {"xAI, 429", 429, "", "Some resource has been exhausted",
       "Your team has either used all available credits or reached its monthly spending limit.", Outcome::kQuota,
       "insufficient_credits"},
      {"xAI, rate", 429, "", "Some resource has been exhausted", "Too many requests for team", Outcome::kRateLimited,
       "rate_limited"},
      {"xAI, key", 400, "", "Client specified an invalid argument", "Incorrect API key provided: ca***", Outcome::kAuth,
       "incorrect_api_key", Doubt::kKey, Outcome::kAuth},
      {"Volcengine", 403, "Forbidden", "AccountOverdueError", "overdue balance", Outcome::kQuota, "arrearage"},
      {"SiliconFlow", 403, "", "30001", "Sorry, your account balance is insufficient", Outcome::kQuota,
       "insufficient_balance"},
      {"Gemini, leaked", 403, "PERMISSION_DENIED", "", "Your API key was reported as leaked. Please use another.",
       Outcome::kAuth, "api_key_leaked", Doubt::kKey, Outcome::kAuth},
      {"Gemini, invalid", 400, "INVALID_ARGUMENT", "API_KEY_INVALID", "API key not valid.", Outcome::kAuth,
       "api_key_invalid", Doubt::kKey, Outcome::kAuth},
      {"Gemini, rate", 429, "RESOURCE_EXHAUSTED", "", "You exceeded your current quota, please check your plan",
       Outcome::kRateLimited, "rate_limited"},
      {"Zhipu, balance", 429, "", "1113", "Insufficient balance or no resource package", Outcome::kQuota,
       "insufficient_balance"},
      {"Zhipu, locked", 429, "", "1112", "locked", Outcome::kAuth, "account_locked", Doubt::kKey, Outcome::kAuth},
      {"Zhipu, rate", 429, "", "1302", "High concurrency usage of this API", Outcome::kRateLimited, "rate_limited"},
      {"Zhipu, rate", 429, "", "1303", "High frequency usage of this API", Outcome::kRateLimited, "rate_limited"},
      {"Zhipu, window", 429, "", "1308", "Usage limit reached. Limit resets at ...", Outcome::kQuota,
       "usage_limit_reached"},
      {"MiniMax", 429, "insufficient_balance_error", "", "insufficient balance (1008)", Outcome::kQuota,
       "insufficient_balance"},
      {"Moonshot, 429", 429, "exceeded_current_quota_error", "", "", Outcome::kQuota, "exceeded_current_quota"},
      {"Moonshot, 403", 403, "exceeded_current_quota_error", "", "", Outcome::kQuota, "exceeded_current_quota"},
      {"OpenAI", 429, "insufficient_quota", "insufficient_quota", "", Outcome::kQuota, "insufficient_quota"},
      {"OpenAI", 429, "", "billing_not_active", "", Outcome::kQuota, "billing_not_active"},
      {"OpenAI", 429, "", "billing_hard_limit_reached", "", Outcome::kQuota, "billing_hard_limit_reached"},
      {"DeepSeek", 402, "unknown_error", "invalid_request_error", "Insufficient Balance", Outcome::kQuota,
       "insufficient_balance"},
      {"opencode Zen", 401, "CreditsError", "", "Insufficient balance.", Outcome::kQuota, "insufficient_credits"},
      {"model, 404", 404, kIre, "model_not_found", "The model `m` does not exist or you do not have access to it.",
       Outcome::kCallerFault, "http_404", Doubt::kModel, Outcome::kPermission},
      {"model, 403", 403, kIre, "model_not_found", "", Outcome::kCallerFault, "http_403", Doubt::kModel,
       Outcome::kPermission},
  });
}

TEST(ProviderWordsTest, TheRequestsFaultAndTheProvidersState) {
  Expect({
      {"Anthropic, long context", 429, "rate_limit_error", "", "Extra usage is required for long context requests.",
       Outcome::kCallerFault, "http_429", Doubt::kUnbooked},
      {"OpenAI, too large", 429, "tokens", "rate_limit_exceeded",
       "Request too large for m on tokens per min (TPM): Limit 30000, Requested 41200", Outcome::kCallerFault,
       "http_429", Doubt::kThisRequest},
      {"Moonshot", 429, "engine_overloaded_error", "", "", Outcome::kOverloaded, "overloaded"},
      {"Anthropic", 529, "overloaded_error", "", "Overloaded", Outcome::kOverloaded, "overloaded"},
      {"Anthropic", 429, "overloaded_error", "", "Overloaded", Outcome::kOverloaded, "overloaded"},
      {"Zhipu", 429, "", "1305", "The model is currently overloaded", Outcome::kOverloaded, "overloaded"},
      {"Gemini", 503, "UNAVAILABLE", "", "The model is overloaded.", Outcome::kOverloaded, "overloaded"},
      {"context", 400, "invalid_request_error", "context_length_exceeded", "", Outcome::kCallerFault, "http_400"},
      {"context", 400, "invalid_request_error", "", "prompt is too long: 208310 tokens > 200000 maximum",
       Outcome::kCallerFault, "http_400"},
  });
}

TEST(ProviderWordsTest, WhatIsNotKnownIsInDoubt) {
  constexpr auto kPermission = Outcome::kPermission;
  Expect({
      {"400", 400, "invalid_request_error", "", "messages: bad", Outcome::kCallerFault, "http_400", Doubt::kKey,
       kPermission},
      {"the client's words", 400, "invalid_request_error", "", "bad role 'your credit balance is too low'",
       Outcome::kCallerFault, "http_400", Doubt::kKey, Outcome::kQuota},
      {"400, auth", 400, "", "strange", "Account x has been suspended", Outcome::kCallerFault, "http_400", Doubt::kKey,
       Outcome::kAuth},
      {"401", 401, "", "", "", Outcome::kAuth, "http_401", Doubt::kKey, Outcome::kAuth},
      {"403, money", 403, "", "x", "Please check your spending limit", kPermission, "spending_limit_reached",
       Doubt::kKey, Outcome::kQuota},
      {"404", 404, "", "", "", Outcome::kCallerFault, "http_404", Doubt::kModel, kPermission},
      {"429, strange", 429, "", "", "This feature needs another plan", Outcome::kRateLimited, "rate_limited",
       Doubt::kKey, Outcome::kRateLimited},
      {"429, plain", 429, "", "", "", Outcome::kRateLimited, "rate_limited"},
      {"numbers of others", 429, "some_type", "1113", "", Outcome::kRateLimited, "rate_limited"},
  });
}

TEST(ProviderWordsTest, ErrorsInsideA200StandForAStatus) {
  Expect({
      {"MiniMax", 200, "base_resp", "1008", "insufficient balance", Outcome::kQuota, "insufficient_balance",
       Doubt::kNone, Outcome::kCallerFault, 402},
      {"MiniMax, rate", 200, "base_resp", "1002", "rate limit", Outcome::kRateLimited, "rate_limited", Doubt::kNone,
       Outcome::kCallerFault, 429},
      {"Zhipu", 200, "envelope", "1000", "Authentication Failed", Outcome::kAuth, "authentication_error", Doubt::kKey,
       Outcome::kAuth, 401},
      {"OpenRouter", 200, "", "429", "Rate limited upstream", Outcome::kRateLimited, "rate_limited", Doubt::kNone,
       Outcome::kCallerFault, 429},
      {"nothing", 200, "", "", "no answer: empty", Outcome::kUpstreamFailure, "no_answer", Doubt::kNone,
       Outcome::kCallerFault, 502},
      {"unknown", 200, "odd", "", "odd", Outcome::kUpstreamFailure, "http_502", Doubt::kNone, Outcome::kCallerFault,
       502},
      {"Anthropic", 200, "overloaded_error", "", "Overloaded", Outcome::kOverloaded, "overloaded", Doubt::kNone,
       Outcome::kCallerFault, 529},
      {"context", 200, "invalid_request_error", "context_length_exceeded", "", Outcome::kCallerFault, "http_400",
       Doubt::kNone, Outcome::kCallerFault, 400},
      {"sentence", 200, "", "", "Insufficient balance", Outcome::kQuota, "insufficient_balance", Doubt::kNone,
       Outcome::kCallerFault, 402},
  });
}

TEST(ProviderWordsTest, A429ThatSaysWhenIsCertain) {
  Evidence evidence = EvidenceOf({"", 429, "odd", "", "This feature needs another plan", Outcome::kNeutral, ""});
  EXPECT_EQ(Classify(evidence).doubt, Doubt::kKey);
  evidence.rate_limits.push_back({RateLimit::Unit::kRequests, 10, 0, absl::Seconds(3)});
  EXPECT_EQ(Classify(evidence).doubt, Doubt::kNone);
  evidence.rate_limits.clear();
  evidence.retry_after = absl::Seconds(3);
  EXPECT_EQ(Classify(evidence).doubt, Doubt::kNone);
  evidence.quota_window = true;
  EXPECT_EQ(Classify(evidence).outcome, Outcome::kQuota);
}

TEST(ProviderWordsTest, RulesOfTheUserComeFirst) {
  Evidence evidence = EvidenceOf({"", 429, "", "insufficient_quota", "Slow DOWN please", Outcome::kNeutral, ""});
  const auto as = [&evidence](ErrorRule rule) { return Classify(evidence, {&rule, 1}).outcome; };
  EXPECT_EQ(as({429, "", "", Outcome::kRateLimited}), Outcome::kRateLimited);
  EXPECT_EQ(as({0, "insufficient_quota", "", Outcome::kAuth}), Outcome::kAuth);
  EXPECT_EQ(as({0, "", "slow down", Outcome::kOverloaded}), Outcome::kOverloaded);
  EXPECT_EQ(as({429, "insufficient_quota", "slow", Outcome::kCallerFault}), Outcome::kCallerFault);
  EXPECT_EQ(as({429, "insufficient_quota", "slow", Outcome::kUpstreamFailure}), Outcome::kUpstreamFailure);
  for (const ErrorRule& rule : {ErrorRule{500, "", "", Outcome::kAuth}, ErrorRule{0, "quota", "", Outcome::kAuth},
                                ErrorRule{0, "", "quick", Outcome::kAuth}}) {
    EXPECT_EQ(as(rule), Outcome::kQuota);
  }
  evidence.http_status = 200;
  EXPECT_EQ(as({0, "", "", Outcome::kAuth}), Outcome::kSuccess);
  evidence.error_in_answer = true;
  EXPECT_EQ(as({0, "", "slow", Outcome::kAuth}), Outcome::kAuth);
  EXPECT_EQ(as({200, "", "", Outcome::kAuth}), Outcome::kAuth);
}

TEST(ProviderWordsTest, EachWordStandsOnceWithAnErrorsStatus) {
  std::set<std::string_view> words;
  for (const CodeWord& known : CodeWords()) {
    EXPECT_TRUE(words.insert(known.word).second) << known.word;
    EXPECT_GE(known.status, 400) << known.word;
    EXPECT_LE(known.status, 599) << known.word;
    if (!known.reason.empty()) EXPECT_EQ(StaticReason(std::string(known.reason)), known.reason);
    if (known.meaning == Meaning::kQuota) EXPECT_TRUE(MeansLimit(known.reason)) << known.word;
  }
}

}  // namespace
}  // namespace ccr::core

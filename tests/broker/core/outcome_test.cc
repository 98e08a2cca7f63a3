#include "broker/core/verdict/outcome.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace ccr::core {
namespace {

struct OutcomeRow {
  int status;
  std::string type;
  std::string code;
  Outcome outcome;
  std::string reason;
};

std::vector<OutcomeRow> Rows() {
  return {
      {200, "", "", Outcome::kSuccess, "success"},
      {204, "", "", Outcome::kSuccess, "success"},
      {299, "", "", Outcome::kSuccess, "success"},
      {400, "", "", Outcome::kCallerFault, "http_400"},
      {400, "invalid_request_error", "", Outcome::kCallerFault, "http_400"},
      {400, "", "API_KEY_INVALID", Outcome::kAuth, "api_key_invalid"},
      {400, "API_KEY_INVALID", "", Outcome::kAuth, "api_key_invalid"},
      {400, "", "insufficient_quota", Outcome::kQuota, "insufficient_quota"},
      {400, "", "Arrearage", Outcome::kQuota, "arrearage"},
      {400, "", "credit", Outcome::kCallerFault, "http_400"},
      {400, "Your credit balance is too low", "", Outcome::kCallerFault, "http_400"},
      {401, "", "", Outcome::kAuth, "http_401"},
      {401, "authentication_error", "", Outcome::kAuth, "authentication_error"},
      {401, "invalid_request_error", "invalid_api_key", Outcome::kAuth, "invalid_api_key"},
      {401, "insufficient_quota", "", Outcome::kQuota, "insufficient_quota"},
      {402, "", "", Outcome::kQuota, "http_402"},
      {402, "billing_error", "", Outcome::kQuota, "billing_error"},
      {403, "", "", Outcome::kPermission, "http_403"},
      {403, "permission_error", "", Outcome::kPermission, "http_403"},
      {403, "authentication_error", "", Outcome::kAuth, "authentication_error"},
      {403, "", "CONSUMER_SUSPENDED", Outcome::kAuth, "consumer_suspended"},
      {403, "", "billing_not_active", Outcome::kQuota, "billing_not_active"},
      {404, "", "", Outcome::kCallerFault, "http_404"},
      {405, "", "", Outcome::kCallerFault, "http_405"},
      {408, "", "", Outcome::kUpstreamFailure, "http_408"},
      {409, "", "", Outcome::kCallerFault, "http_409"},
      {413, "tokens", "rate_limit_exceeded", Outcome::kCallerFault, "http_413"},
      {415, "", "", Outcome::kCallerFault, "http_415"},
      {418, "", "", Outcome::kCallerFault, "http_418"},
      {422, "", "", Outcome::kCallerFault, "http_422"},
      {429, "", "", Outcome::kRateLimited, "rate_limited"},
      {429, "rate_limit_error", "", Outcome::kRateLimited, "rate_limited"},
      {429, "RESOURCE_EXHAUSTED", "", Outcome::kRateLimited, "rate_limited"},
      {429, "insufficient_quota", "insufficient_quota", Outcome::kQuota, "insufficient_quota"},
      {429, "", "billing_hard_limit_reached", Outcome::kQuota, "billing_hard_limit_reached"},
      {499, "", "", Outcome::kCallerFault, "http_499"},
      {500, "", "", Outcome::kUpstreamFailure, "http_500"},
      {500, "api_error", "", Outcome::kUpstreamFailure, "http_500"},
      {500, "overloaded_error", "", Outcome::kOverloaded, "overloaded"},
      {500, "insufficient_quota", "", Outcome::kQuota, "insufficient_quota"},
      {500, "context_length_exceeded", "", Outcome::kUpstreamFailure, "http_500"},
      {429, "engine_overloaded_error", "", Outcome::kOverloaded, "overloaded"},
      {429, "overloaded_error", "", Outcome::kOverloaded, "overloaded"},
      {502, "", "", Outcome::kUpstreamFailure, "http_502"},
      {503, "", "", Outcome::kOverloaded, "overloaded"},
      {504, "", "", Outcome::kUpstreamFailure, "http_504"},
      {529, "overloaded_error", "", Outcome::kOverloaded, "overloaded"},
      {599, "", "", Outcome::kUpstreamFailure, "http_599"},
      {100, "", "", Outcome::kUpstreamFailure, "http_100"},
      {302, "", "", Outcome::kNeutral, "http_302"},
      {304, "", "", Outcome::kNeutral, "http_304"},
      {600, "", "", Outcome::kUpstreamFailure, "http_invalid"},
      {-1, "", "", Outcome::kUpstreamFailure, "http_invalid"},
      {99, "", "", Outcome::kUpstreamFailure, "http_invalid"},
  };
}

TEST(ClassifyTest, FollowsTheTable) {
  for (const OutcomeRow& row : Rows()) {
    Evidence evidence;
    evidence.http_status = row.status;
    evidence.error_type = row.type;
    evidence.error_code = row.code;
    const Verdict verdict = Classify(evidence);
    EXPECT_EQ(verdict.outcome, row.outcome) << row.status << " " << row.type << " " << row.code;
    EXPECT_EQ(verdict.reason, row.reason) << row.status << " " << row.type << " " << row.code;
  }
}

TEST(ClassifyTest, CancelledAndOwnFaultsWinOverEverything) {
  for (int status : {0, 200, 401, 429, 500}) {
    Evidence cancelled;
    cancelled.http_status = status;
    cancelled.client_cancelled = true;
    EXPECT_EQ(Classify(cancelled).outcome, Outcome::kNeutral) << status;
    Evidence own;
    own.http_status = status;
    own.caller_fault = true;
    EXPECT_EQ(Classify(own).outcome, Outcome::kNeutral) << status;
  }
}

TEST(ClassifyTest, TransportErrorsAreUpstreamFailures) {
  const std::vector<std::pair<TransportError, std::string>> rows = {
      {TransportError::kConnect, "connect_error"},
      {TransportError::kConnectTimeout, "connect_timeout"},
      {TransportError::kSend, "send_error"},
      {TransportError::kFirstByteTimeout, "first_byte_timeout"},
      {TransportError::kIdleTimeout, "idle_timeout"},
      {TransportError::kRead, "read_error"},
      {TransportError::kName, "name_not_resolved"},
      {TransportError::kRefused, "connection_refused"},
      {TransportError::kTls, "tls_error"},
      {TransportError::kProxy, "proxy_refused"},
  };
  for (const auto& [error, reason] : rows) {
    for (int status : {0, 200}) {
      Evidence evidence;
      evidence.http_status = status;
      evidence.transport_error = error;
      evidence.success = true;
      EXPECT_EQ(Classify(evidence).outcome, Outcome::kUpstreamFailure) << reason;
      EXPECT_EQ(Classify(evidence).reason, reason);
      EXPECT_EQ(StaticReason(reason), reason) << "it survives a restart";
    }
  }
}

TEST(ClassifyTest, AnIncompleteAnswerIsNoSuccess) {
  Evidence evidence;
  evidence.http_status = 200;
  evidence.incomplete = true;
  EXPECT_EQ(Classify(evidence).outcome, Outcome::kUpstreamFailure);
  EXPECT_EQ(Classify(evidence).reason, "incomplete_response");
  evidence.error_type = "overloaded_error";
  EXPECT_EQ(Classify(evidence).outcome, Outcome::kOverloaded);
}

TEST(ClassifyTest, CallersWithoutHttpSaySuccessOrFailure) {
  Evidence evidence;
  EXPECT_EQ(Classify(evidence).outcome, Outcome::kNeutral);
  evidence.success = true;
  EXPECT_EQ(Classify(evidence).outcome, Outcome::kSuccess);
  evidence.success = false;
  EXPECT_EQ(Classify(evidence).outcome, Outcome::kUpstreamFailure);
  evidence.http_status = 200;
  EXPECT_EQ(Classify(evidence).outcome, Outcome::kSuccess);
}

TEST(StaticReasonTest, KnowsWhatClassifyGives) {
  for (const OutcomeRow& row : Rows()) {
    if (row.outcome != Outcome::kSuccess) EXPECT_EQ(StaticReason(std::string(row.reason)), row.reason);
  }
  EXPECT_EQ(StaticReason("auth"), "auth");
  EXPECT_EQ(StaticReason("failures"), "failures");
  EXPECT_EQ(StaticReason("connect_timeout"), "connect_timeout");
  for (const std::string_view reason : {kAuthSuspected, kPermissionSuspected, kQuotaWindow, kModelAbsent}) {
    EXPECT_EQ(StaticReason(std::string(reason)), reason);
  }
  EXPECT_EQ(StaticReason("made up"), "restored");
}

}  // namespace
}  // namespace ccr::core

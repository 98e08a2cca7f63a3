// The broker reads of an error what the proxy reads.
#include "broker/adapters/probe/error_body.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/core/evidence/error_facts.h"

namespace ccr {
namespace {

TEST(ErrorBodyTest, SaysWhatTheProxyReads) {
  for (const std::string_view body : {
           R"({"error":{"message":"Incorrect API key","type":"invalid_request_error","code":"invalid_api_key"}})",
           R"({"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}})",
           R"([{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT",
               "details":[{"@type":"ErrorInfo","reason":"API_KEY_INVALID"},{"@type":"Help"}]}}])",
           R"({"errors":[{"code":10000,"message":"Authentication error"}]})",
           R"({"base_resp":{"status_code":2049,"status_msg":"invalid api key"}})",
           R"({"code":1000,"msg":"auth failed","success":false})",
           R"({"code":30001,"message":"balance is insufficient","data":null})",
           R"({"error":"invalid_key"})",
           R"({"error":"the key is not known"})",
           R"({"detail":"Not authenticated"})",
           R"({"error":{"code":"x","message":7,"details":[null,7,{"reason":7}]}})",
           R"({"errors":[7]})",
           R"({"error":{}})",
           "[]",
           "7",
           "<html>403</html>",
           "",
       }) {
    core::Evidence evidence;
    ReadErrorBody(body, &evidence);
    const proxy::ErrorFacts facts = proxy::ReadError(body, absl::UnixEpoch());
    EXPECT_EQ(evidence.error_type, facts.type) << body;
    EXPECT_EQ(evidence.error_code, facts.code) << body;
    EXPECT_EQ(evidence.message, facts.message) << body;
  }
}

TEST(ErrorBodyTest, AMessageIsCut) {
  core::Evidence evidence;
  ReadErrorBody(R"({"error":{"message":")" + std::string(kMaxErrorMessage + 1, 'x') + "\"}}", &evidence);
  EXPECT_EQ(evidence.message.size(), kMaxErrorMessage);
}

}  // namespace
}  // namespace ccr

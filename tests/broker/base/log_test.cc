#include "broker/base/log.h"

#include <gtest/gtest.h>

namespace ccr {
namespace {

TEST(RedactTest, HidesWhatLooksLikeACredential) {
  EXPECT_EQ(Redact("key sk-abcdefgh1234 failed"), "key [redacted] failed");
  EXPECT_EQ(Redact("Authorization: Bearer abc.def-ghi"), "Authorization: Bearer [redacted]");
  EXPECT_EQ(Redact("?key=AIzaAbcdefgh"), "?key=[redacted]");
  EXPECT_EQ(Redact("sk-ant-aaaa,sk-or-bbbb"), "[redacted],[redacted]");
}

TEST(RedactTest, LeavesOrdinaryTextAlone) {
  for (const char* text : {"", "provider openrouter key key-1 cools", "task-abcdefgh", "sk-", "a b"}) {
    EXPECT_EQ(Redact(text), text);
  }
}

TEST(LogTest, TextLineQuotesWhatNeedsIt) {
  InitLog(LogFormat::kText, LogLevel::kInfo);
  testing::internal::CaptureStderr();
  Log(LogLevel::kDebug, "hidden");
  Log(LogLevel::kWarn, "key cooling", {{"pool", "deepseek"}, {"reason", "two words"}, {"n", 3}, {"ok", false}});
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_EQ(line.find("hidden"), std::string::npos);
  EXPECT_NE(line.find("warn  key cooling pool=deepseek reason=\"two words\" n=3 ok=false\n"), std::string::npos)
      << line;
}

TEST(LogTest, JsonLineIsEscapedAndRedacted) {
  InitLog(LogFormat::kJson, LogLevel::kInfo);
  testing::internal::CaptureStderr();
  Log(LogLevel::kInfo, "x", {{"text", "a\"b\nsk-abcdefgh1234"}, {"ratio", 0.5}});
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_NE(line.find(R"("event":"x","text":"a\"b\u000a[redacted]","ratio":0.5})"), std::string::npos) << line;
  InitLog(LogFormat::kText, LogLevel::kInfo);
}

TEST(LogTest, ControlCharactersAndBrokenTextAreEscaped) {
  testing::internal::CaptureStderr();
  Log(LogLevel::kInfo, "x",
      {{"a", "\x1b[2J\x7f"}, {"b", "\xC2\x9B\xE2\x80\xAE"}, {"c", "\xff\xC3"}, {"d", "\xC3\xA9"}});
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_NE(line.find(R"(a="\u001b[2J\u007f" b="\u009b\u202e" c="\ufffd\ufffd" d=")"
                      "\xC3\xA9\""),
            std::string::npos)
      << line;
}

TEST(LogTest, ReadyAndNoticesAreWrittenWhateverTheLevelInTheFormatAsked) {
  InitLog(LogFormat::kText, LogLevel::kOff);
  testing::internal::CaptureStderr();
  LogReady("ccr-x", {{"http", "127.0.0.1:1"}, {"metrics", "[::1]:2"}});
  LogNotice(LogLevel::kError, "ccr-x", "cannot serve");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "ccr-x ready: http=127.0.0.1:1 metrics=[::1]:2\nccr-x: cannot serve\n");
  InitLog(LogFormat::kJson, LogLevel::kOff);
  testing::internal::CaptureStderr();
  LogReady("ccr-x", {{"http", "127.0.0.1:1"}});
  LogNotice(LogLevel::kError, "ccr-x", "cannot serve");
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_NE(lines.find(R"("event":"ready","program":"ccr-x","http":"127.0.0.1:1"})"), std::string::npos) << lines;
  EXPECT_NE(lines.find(R"("level":"error","event":"notice","program":"ccr-x","message":"cannot serve"})"),
            std::string::npos)
      << lines;
  InitLog(LogFormat::kText, LogLevel::kInfo);
}

TEST(LogTest, TheWordsOfTheConfigurationAreUnderstood) {
  EXPECT_EQ(ParseLogLevel("trace"), LogLevel::kDebug);
  EXPECT_EQ(ParseLogLevel("warn"), LogLevel::kWarn);
  EXPECT_EQ(ParseLogLevel("fatal"), LogLevel::kError);
  EXPECT_EQ(ParseLogLevel("off"), LogLevel::kOff);
  EXPECT_EQ(ParseLogLevel(""), std::nullopt);
  EXPECT_EQ(ParseLogFormat("json"), LogFormat::kJson);
  EXPECT_EQ(ParseLogFormat("xml"), std::nullopt);
}

}  // namespace
}  // namespace ccr

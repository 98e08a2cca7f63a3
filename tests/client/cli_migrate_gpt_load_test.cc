// The groups are written after GPT-Load's internal/models/types.go and GET /api/groups, the exports of keys after
// internal/handler/key_handler.go.
#include "tests/client/cli_migrate_fakes.h"

namespace ccr::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using MigrateGptLoadTest = MigrateTest;

constexpr const char* kGroups = R"({"code": 0, "message": "Success", "data": [
  {"id": 1, "name": "openai", "endpoint": "http://localhost:3001/proxy/openai", "display_name": "OpenAI", "description": "",
   "upstreams": [{"url": "https://api.openai.com", "weight": 1}], "channel_type": "openai", "sort": 1,
   "test_model": "gpt-4.1-mini", "validation_endpoint": "/v1/chat/completions", "param_overrides": {"temperature": 0},
   "config": {"max_retries": 5, "blacklist_threshold": 2, "connect_timeout": 15, "response_header_timeout": 60,
              "proxy_url": "http://user:canary-password@proxy:8080"},
   "header_rules": [{"key": "X-Team", "value": "canary-header", "action": "set"}],
   "proxy_keys": "canary-proxy-key-1,canary-proxy-key-2", "last_validated_at": null, "created_at": "2025-07-01T00:00:00Z"},
  {"id": 2, "name": "gemini", "upstreams": [{"url": "https://generativelanguage.googleapis.com/", "weight": 1}],
   "channel_type": "gemini", "test_model": "gemini-2.5-flash", "validation_endpoint": "", "config": {}},
  {"id": 3, "name": "claude-relay", "upstreams": [{"url": "https://relay-a.test", "weight": 1},
                                                  {"url": "https://relay-b.test/anthropic/", "weight": 5}],
   "channel_type": "anthropic", "test_model": "claude-sonnet-5-5", "model_redirect_rules": {"claude-latest": "claude-opus-5"}},
  {"id": 4, "name": "everything", "group_type": "aggregate", "channel_type": "openai", "upstreams": [], "test_model": "-"},
  {"id": 5, "name": "odd", "upstreams": [{"url": "https://odd.test", "weight": 1}], "channel_type": "suno", "test_model": "x"},
  {"id": 6, "name": "keyless", "upstreams": [{"url": "https://keyless.test", "weight": 1}], "channel_type": "openai", "test_model": "x"}
]})";

TEST_F(MigrateGptLoadTest, GroupsAndTheExportsOfTheirKeys) {
  ASSERT_EQ(From("gpt-load",
                 {Put("groups.json", kGroups),
                  Put("keys-openai-all.txt", "canary-key-a1\ncanary-key-a2\n\nnot a key\ncanary-key-a1\n"),
                  Put("keys-gemini-active.txt", "canary-key-b1\r\ncanary-key-b2\r\n"),
                  Put("keys-claude-relay-all.txt", "canary-key-c1"),
                  Put("keys-openai-invalid.txt", "canary-key-dead\n"), Put("keys-odd-all.txt", "canary-key-odd\n")}),
            0)
      << err_.str();
  const Config config = Loaded();
  ASSERT_EQ(NamesOf(config), "openai, gemini, claude-relay");
  const ProviderConfig& openai = config.providers[0];
  EXPECT_EQ(openai.base_url, "https://api.openai.com/v1/chat/completions");
  ASSERT_EQ(openai.keys.size(), 2U);
  EXPECT_EQ(openai.keys[1].secret.Reveal(), "canary-key-a2");
  EXPECT_EQ(openai.keys[0].max_failures, 2U);
  EXPECT_EQ(openai.max_retries, 5U);
  EXPECT_EQ(openai.timeouts.connect, absl::Seconds(15));
  EXPECT_EQ(openai.timeouts.first_byte, absl::Seconds(60));
  EXPECT_EQ(config.providers[1].base_url, "https://generativelanguage.googleapis.com/v1beta/models/");
  EXPECT_EQ(config.providers[1].keys[0].secret.Reveal(), "canary-key-b1");
  EXPECT_EQ(config.providers[2].base_url, "https://relay-b.test/anthropic/v1/messages");
  EXPECT_THAT(config.providers[2].models, ElementsAre("claude-sonnet-5-5", "claude-opus-5"));
  EXPECT_EQ(ModeOf("keys/openai.key-1"), 0600U);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("keys-openai-all.txt:4: is no key"), HasSubstr("invalid, as GPT-Load says"),
                                HasSubstr("group openai: proxy_keys: "), HasSubstr("group openai: header_rules: "),
                                HasSubstr("group openai: param_overrides: "), HasSubstr("group openai: proxy_url: ")));
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("group claude-relay: upstreams: "), HasSubstr("group everything: it only names"),
                    HasSubstr("group odd: channel_type suno is not known"), HasSubstr("keys-keyless-all.txt"),
                    HasSubstr("/proxy/openai use /p/openai"), HasSubstr("claude-opus-5 instead of claude-latest")));
}

TEST_F(MigrateGptLoadTest, KeysOfTheApiBelongToTheirGroup) {
  ASSERT_EQ(
      From("gpt-load", {Put("groups.json", kGroups), Put("keys.json", R"({"code": 0, "message": "Success", "data": {
      "items": [{"id": 1, "group_id": 2, "key_value": "canary-key-d1", "status": "active", "request_count": 3},
                {"id": 2, "group_id": 2, "key_value": "canary-key-d2", "status": "invalid"},
                {"id": 3, "group_id": 99, "key_value": "canary-key-d3", "status": "active"}],
      "pagination": {"page": 1, "page_size": 15, "total_items": 3, "total_pages": 1}}})")}),
      0)
      << err_.str();
  const Config config = Loaded();
  ASSERT_EQ(NamesOf(config), "gemini");
  ASSERT_EQ(config.providers[0].keys.size(), 1U);
  EXPECT_EQ(config.providers[0].keys[0].secret.Reveal(), "canary-key-d1");
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("group 2: its keys of the status invalid"), HasSubstr("keys of the group with id 99")));
}

TEST_F(MigrateGptLoadTest, AnExportAloneIsTakenWhereItsNameSaysWhose) {
  ASSERT_EQ(From("gpt-load", {Put("keys-deepseek-all.txt", "canary-key-e1\ncanary-key-e2\n")}), 0) << err_.str();
  const Config config = Loaded();
  ASSERT_EQ(NamesOf(config), "deepseek");
  EXPECT_EQ(config.providers[0].keys.size(), 2U);
  EXPECT_THAT(config.providers[0].models, Not(IsEmpty()));
  EXPECT_THAT(out_.str(), HasSubstr("is taken as keys of deepseek"));
  EXPECT_EQ(From("gpt-load", {Put("keys-mine-all.txt", "canary-key-e1\n")}, {"--force"}), 2);
  EXPECT_THAT(err_.str(),
              HasSubstr("where its keys go is not said: give the JSON of GET /api/groups with a group mine"));
}

TEST_F(MigrateGptLoadTest, OneGroupAndOneExportBelongTogether) {
  ASSERT_EQ(From("gpt-load",
                 {Put("group.json", R"({"name": "mine", "channel_type": "openai-response", "test_model": "gpt-6-luna",
                                                   "upstreams": "[{\"url\": \"https://mine.test\", \"weight\": 1}]",
                                                   "config": "{\"blacklist_threshold\": 0}"})"),
                  Put("whatever.txt", "canary-key-f1\n")}),
            0)
      << err_.str();
  const Config config = Loaded();
  ASSERT_EQ(NamesOf(config), "mine");
  EXPECT_EQ(config.providers[0].base_url, "https://mine.test/v1/responses");
  EXPECT_THAT(out_.str(), HasSubstr("blacklist_threshold 0: "));
}

TEST_F(MigrateGptLoadTest, NotItsFormat) {
  EXPECT_EQ(FromText("gpt-load", R"({"code": "UNAUTHORIZED", "message": "no"})"), 2);
  EXPECT_THAT(err_.str(), HasSubstr("holds no groups and no keys of GPT-Load"));
  EXPECT_EQ(FromText("gpt-load", "{\"data\": ["), 2);
  EXPECT_THAT(err_.str(), HasSubstr("export:1: column"));
  EXPECT_EQ(FromText("gpt-load", "just some\nlines of text\n"), 2);
  EXPECT_THAT(err_.str(), HasSubstr("export:1, "));
}

}  // namespace
}  // namespace ccr::cli

// The channels are written after New API's model/channel.go: as rows of the table, in which lists and maps are JSON in
// texts (sqlite3 -json), and as its API answers.
#include "tests/client/cli_migrate_fakes.h"

namespace ccr::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using MigrateNewApiTest = MigrateTest;

constexpr const char* kRows = R"([
 {"id": 1, "type": 1, "key": "canary-key-a1\ncanary-key-a2\ncanary-key-a3", "openai_organization": "", "test_model": "", "status": 1,
  "name": "OpenAI main", "weight": 10, "created_time": 1700000000, "test_time": 0, "response_time": 120, "base_url": "", "other": "",
  "balance": 0, "balance_updated_time": 0, "models": "gpt-4o,gpt-4o-mini", "group": "default", "used_quota": 5,
  "model_mapping": "{\"gpt-4o\":\"gpt-4o-2024-11-20\"}", "status_code_mapping": "", "priority": 10, "auto_ban": 1, "other_info": "",
  "tag": "", "setting": "{}", "param_override": null, "header_override": "", "remark": "",
  "channel_info": "{\"is_multi_key\":true,\"multi_key_size\":3,\"multi_key_status_list\":{\"1\":3},\"multi_key_polling_index\":0,\"multi_key_mode\":\"random\"}",
  "settings": ""},
 {"id": 2, "type": 1, "key": "canary-key-a4", "status": 1, "name": "OpenAI main", "weight": 30, "base_url": "", "models": "gpt-4o-mini",
  "group": "default,vip", "priority": 10, "channel_info": "{}"},
 {"id": 3, "type": 14, "key": "canary-key-a5", "status": 1, "name": "Claude", "weight": 0, "base_url": null, "models": "claude-sonnet-5-5",
  "group": "default", "priority": 0},
 {"id": 4, "type": 1, "key": "canary-key-a6", "status": 1, "name": "backup, relay", "weight": 0, "base_url": "https://relay.test/",
  "models": "gpt-4o-mini,gpt-4o-2024-11-20", "group": "default", "priority": -5, "param_override": "{\"temperature\":0}"}
])";

TEST_F(MigrateNewApiTest, RowsOfTheTable) {
  ASSERT_EQ(FromText("new-api", kRows), 0) << err_.str();
  const Config config = Loaded();
  ASSERT_EQ(NamesOf(config), "openai, anthropic, backup- relay");
  const ProviderConfig& openai = config.providers[0];
  EXPECT_EQ(openai.base_url, "https://api.openai.com/v1/chat/completions");
  EXPECT_EQ(openai.strategy, "weighted");
  EXPECT_THAT(openai.models, ElementsAre("gpt-4o-2024-11-20", "gpt-4o-mini"));
  ASSERT_EQ(openai.keys.size(), 3U);
  EXPECT_EQ(openai.keys[0].name, "OpenAI-main-1");
  EXPECT_EQ(openai.keys[1].secret.Reveal(), "canary-key-a3");
  EXPECT_EQ(openai.keys[0].weight, 5);
  EXPECT_THAT(openai.keys[0].models, IsEmpty());
  EXPECT_EQ(openai.keys[2].name, "OpenAI-main");
  EXPECT_EQ(openai.keys[2].weight, 30);
  EXPECT_THAT(openai.keys[2].models, ElementsAre("gpt-4o-mini"));
  EXPECT_EQ(config.providers[1].format, ProviderFormat::kAnthropic);
  EXPECT_EQ(config.providers[1].keys[0].weight, 1);
  EXPECT_EQ(config.router.default_route, "openai,gpt-4o-2024-11-20");
  EXPECT_THAT(config.fallback.at("default"), ElementsAre("backup- relay,gpt-4o-2024-11-20"));
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("channel OpenAI main (id 1): key 1 (from 0) is disabled"), HasSubstr("(id 2): group: "),
                    HasSubstr("channel backup, relay (id 4): param_override: "),
                    HasSubstr("gpt-4o-2024-11-20 instead of gpt-4o"), HasSubstr("model gpt-4o-mini")));
}

TEST_F(MigrateNewApiTest, WhatTheApiAnswersForOneChannel) {
  ASSERT_EQ(FromText("new-api", R"({"success": true, "message": "", "data": {"items": [
      {"id": "7", "type": "43", "key": "canary-key-b1", "status": "1", "name": "ds", "models": "deepseek-v4-pro", "group": "default",
       "priority": "0", "weight": "0", "base_url": ""}], "total": 1}})"),
            0)
      << err_.str();
  const Config config = Loaded();
  ASSERT_EQ(NamesOf(config), "deepseek");
  EXPECT_EQ(config.providers[0].base_url, "https://api.deepseek.com/v1/chat/completions");
  EXPECT_EQ(config.providers[0].keys[0].name, "ds");
}

TEST_F(MigrateNewApiTest, EachTypeHasItsEndpoint) {
  const auto url = [this](int type, const std::string& base) {
    const std::string row = R"([{"id": 1, "key": "canary-key-c1", "models": "m", "type": )" + std::to_string(type) +
                            R"(, "base_url": ")" + base + "\"}]";
    EXPECT_EQ(FromText("new-api", row, {"--force"}), 0) << err_.str();
    return Loaded().providers.at(0).base_url;
  };
  EXPECT_EQ(url(3, "https://res.openai.azure.com"), "https://res.openai.azure.com/openai/v1/chat/completions");
  EXPECT_EQ(url(4, ""), "http://localhost:11434/v1/chat/completions");
  EXPECT_EQ(url(8, "https://own.test/chat"), "https://own.test/chat");
  EXPECT_EQ(url(17, ""), "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions");
  EXPECT_EQ(url(20, ""), "https://openrouter.ai/api/v1/chat/completions");
  EXPECT_EQ(url(24, ""), "https://generativelanguage.googleapis.com/v1beta/models/");
  EXPECT_EQ(url(26, ""), "https://open.bigmodel.cn/api/paas/v4/chat/completions");
  EXPECT_EQ(url(26, "glm-coding-plan"), "https://open.bigmodel.cn/api/coding/paas/v4/chat/completions");
  EXPECT_EQ(url(27, ""), "https://api.perplexity.ai/chat/completions");
  EXPECT_EQ(url(45, ""), "https://ark.cn-beijing.volces.com/api/v3/chat/completions");
  EXPECT_EQ(url(46, ""), "https://qianfan.baidubce.com/v2/chat/completions");
  for (const int type : {1, 14, 25, 31, 35, 40, 42, 43, 48}) EXPECT_TRUE(url(type, "").starts_with("https://")) << type;
}

TEST_F(MigrateNewApiTest, WhatCannotBeTakenIsToldEachWithItsPlace) {
  EXPECT_EQ(FromText("new-api", R"([
    {"id": 1, "type": 41, "key": "{}", "status": 1, "name": "vertex", "models": "x"},
    {"id": 2, "type": 1, "key": "canary-key-d1", "status": 2, "name": "off", "models": "gpt-4o"},
    {"id": 3, "type": 999, "key": "canary-key-d2", "status": 1, "name": "canary-key-d2", "models": "gpt-4o"},
    {"id": 4, "type": 43, "key": "", "status": 1, "name": "keyless", "models": "deepseek-chat"},
    {"id": 5, "type": 2, "key": "canary-key-d3", "name": "mj", "models": "m"},
    {"id": 6, "type": 47, "key": "canary-key-d4", "name": "baseless", "models": "m"},
    {"id": 7, "type": 8, "key": "canary-key-d5", "name": "templated", "models": "m", "base_url": "https://x.test/{model}"},
    {"id": 8, "type": 1, "key": "canary-key-d6", "name": "modelless", "models": ""}
  ])"),
            2);
  EXPECT_THAT(
      err_.str(),
      AllOf(HasSubstr("channel vertex (id 1): type 41, vertex-ai: "), HasSubstr("channel off (id 2): it is disabled"),
            HasSubstr("channel (hidden) (id 3): type 999 is not known"), HasSubstr("keyless (id 4): its key is not")));
  EXPECT_THAT(
      err_.str(),
      AllOf(HasSubstr("mj (id 5): type 2, midjourney: "), HasSubstr("baseless (id 6): base_url is missing"),
            HasSubstr("templated (id 7): its URL holds {model}"), HasSubstr("modelless (id 8): it names no model")));
}

TEST_F(MigrateNewApiTest, NotItsFormat) {
  EXPECT_EQ(FromText("new-api", R"({"success": false, "message": "no"})"), 2);
  EXPECT_THAT(err_.str(), HasSubstr("holds no channels of New API: export its table"));
  EXPECT_EQ(FromText("new-api", "INSERT INTO channels VALUES (1,'canary')"), 2);
  EXPECT_THAT(err_.str(), HasSubstr("export:1: column 1"));
  EXPECT_EQ(FromText("new-api", std::string("SQLite format 3\0canary", 22)), 2);
  EXPECT_THAT(err_.str(), HasSubstr("is a SQLite database: export the table as JSON"));
}

}  // namespace
}  // namespace ccr::cli

#include "broker/config/key_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/broker/config/problems.h"
#include "tests/broker/config/texts.h"

namespace ccr {
namespace {

using ::testing::ElementsAre;

class KeyNamesTest : public ::testing::Test {
 protected:
  // The names of the keys of a provider with these `api_keys`.
  std::vector<std::string> Names(const std::string& keys) {
    ConfigResult result = ParseConfig(OneProvider(kUrl + ("api_keys: [" + keys + "]")), "/cfg/config.json", Env({}));
    EXPECT_TRUE(result.config) << Show(result.problems);
    NameKeys(fingerprinter_, &*result.config);
    std::vector<std::string> names;
    for (const KeyConfig& key : result.config->providers[0].keys) names.push_back(key.name);
    return names;
  }
  std::string Fingerprint(const std::string& key) { return fingerprinter_.Of(Secret(key)); }
  std::string Short(const std::string& key) { return "key-" + Fingerprint(key).substr(0, 8); }

  const Fingerprinter fingerprinter_{Secret(std::string(32, 's'))};
};

TEST_F(KeyNamesTest, DoNotDependOnThePlace) {
  EXPECT_THAT(Names("'canary-a', 'canary-b', {key: 'canary-c', name: 'mine'}, {key: 'canary-d', weight: 2}"),
              ElementsAre(Short("canary-a"), Short("canary-b"), "mine", Short("canary-d")));
  EXPECT_THAT(Names("'canary-d', 'canary-b'"), ElementsAre(Short("canary-d"), Short("canary-b")));
}

TEST_F(KeyNamesTest, AreUniqueInAPool) {
  EXPECT_THAT(Names("{key: 'canary-b', name: '" + Short("canary-a") + "'}, 'canary-a'"),
              ElementsAre(Short("canary-a"), "key-" + Fingerprint("canary-a")));
}

}  // namespace
}  // namespace ccr

// A folder with what another system exported, and the configuration that `ccr migrate --from` makes of it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "broker/config/config.h"
#include "client/cli/migrate/migrate_from.h"
#include "tests/client/cli_fakes.h"

namespace ccr::cli {

// Every key of a test holds "canary", and nothing that is shown, nor the configuration, may.
class MigrateTest : public AppTest {
 protected:
  void TearDown() override {
    EXPECT_EQ(all_shown_.find("canary"), std::string::npos) << all_shown_;
    EXPECT_EQ(Text().find("canary"), std::string::npos) << Text();
    AppTest::TearDown();
  }

  std::string Put(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }

  // Runs `ccr migrate --from SYSTEM FILE... --output new/config.json MORE...`.
  int From(const std::string& system, const std::vector<std::string>& files,
           const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"migrate", "--from", system};
    words.insert(words.end(), files.begin(), files.end());
    words.insert(words.end(), {"--output", path()});
    words.insert(words.end(), more.begin(), more.end());
    out_.str("");
    err_.str("");
    const int exit_status = Run(words);
    all_shown_ += out_.str() + err_.str();
    return exit_status;
  }

  int FromText(const std::string& system, const std::string& text, const std::vector<std::string>& more = {}) {
    return From(system, {Put("export", text)}, more);
  }

  std::string path() const { return folder_ + "/new/config.json"; }
  std::string Text() const { return ReadFile(path()); }

  Config Loaded() const {
    ConfigResult result = LoadConfig(path(), ProcessEnv());
    for (const ConfigProblem& problem : result.problems) {
      EXPECT_EQ(problem.severity, ConfigProblem::Severity::kWarning) << problem.ToString();
    }
    return result.config ? *std::move(result.config) : Config{};
  }

  unsigned ModeOf(const std::string& name) const {
    struct stat info {};
    return stat((folder_ + "/new/" + name).c_str(), &info) == 0 ? info.st_mode & 0777U : 0;
  }

  std::string all_shown_;
};

// The names of the providers, as "a, b".
inline std::string NamesOf(const Config& config) {
  std::string names;
  for (const ProviderConfig& provider : config.providers) names += (names.empty() ? "" : ", ") + provider.name;
  return names;
}

}  // namespace ccr::cli

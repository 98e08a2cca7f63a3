#include "broker/base/process_limits.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

namespace ccr {
namespace {

// In processes of their own: what is given up is not had back.
void ExitProtected() {
  const rlimit high{RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_CORE, &high);
  ProtectProcess();
  rlimit core{};
  getrlimit(RLIMIT_CORE, &core);
  _exit(prctl(PR_GET_DUMPABLE) == 0 && core.rlim_cur == 0 ? 7 : 1);
}

TEST(ProcessLimitsDeathTest, AProtectedProcessIsNotDumped) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(ExitProtected(), testing::ExitedWithCode(7), "");
}

void ExitRaised() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  const rlimit low{std::min<rlim_t>(100, files.rlim_max), files.rlim_max};
  setrlimit(RLIMIT_NOFILE, &low);
  const size_t raised = RaiseOpenFiles();
  rlimit now{};
  getrlimit(RLIMIT_NOFILE, &now);
  const bool right = now.rlim_cur == raised && raised == std::min<rlim_t>(files.rlim_max, kMaxOpenFiles);
  _exit(right && now.rlim_max == files.rlim_max ? 7 : 1);
}

TEST(ProcessLimitsDeathTest, OpenFilesAreRaisedToTheHardLimit) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(ExitRaised(), testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace ccr

#include "broker/base/process_limits.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>

namespace ccr {

void ProtectProcess() {
  rlimit core{};
  if (getrlimit(RLIMIT_CORE, &core) == 0) {
    core.rlim_cur = 0;
    setrlimit(RLIMIT_CORE, &core);
  }
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

size_t RaiseOpenFiles() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return 0;
  const rlim_t wanted = std::max(files.rlim_cur, std::min<rlim_t>(files.rlim_max, kMaxOpenFiles));
  const rlimit raised{wanted, files.rlim_max};
  return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? wanted : files.rlim_cur;
}

}  // namespace ccr

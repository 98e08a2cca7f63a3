// `ccr config check` and `ccr migrate`: what ccr makes of a configuration file. Neither changes anything.
#pragma once

#include "client/cli/service/service.h"
#include "client/cli/terminal.h"

namespace ccr::cli {

// The verdict of `ccr-broker --check`, which reads all sources of keys: problems on `terminal.err`, a summary on `terminal.out`; with `print` the
// effective configuration, keys hidden, is on `terminal.out` and the summary on `terminal.err`. 0: it loads. 2: it does
// not.
int CheckConfig(const ServiceOptions& options, bool print, const Terminal& terminal);

// What of a Claude Code Router file is used, what is not and why, and what is different here. 0: it loads. 2: it does
// not.
int Migrate(const ServiceOptions& options, const Terminal& terminal);

}  // namespace ccr::cli

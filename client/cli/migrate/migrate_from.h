// `ccr migrate --from`: a configuration from what other systems export.
#pragma once

#include <istream>
#include <string>
#include <vector>

#include "client/cli/service/service.h"
#include "client/cli/terminal.h"

namespace ccr::cli {

struct MigrateOptions {
  std::string from;                // one of MigrationSources(); empty: of Claude Code Router, see config_check.h
  std::vector<std::string> files;  // "-" = stdin
  std::string output;              // empty: the configuration's path
  bool force = false;              // over what is there
  bool dry_run = false;            // writes nothing
};

const std::vector<std::string>& MigrationSources();  // litellm, gpt-load, new-api

// Reads the files, writes a configuration and a file for each key beside it, and tells what it took, what it could not
// take and why, and what is different here; no key is shown. What is written loads: it is checked before. 0: written,
// or with `dry_run` it could be. 1: a file is there already, or cannot be written. 2: a file is not of that system, or
// nothing in it can be taken.
int MigrateFrom(const ServiceOptions& options, const MigrateOptions& migrate, std::istream& in,
                const Terminal& terminal);

}  // namespace ccr::cli

// `ccr key seal`: keys for the configuration that only its master key opens. Asks no broker.
#pragma once

#include <string>

#include "client/cli/service/service.h"
#include "client/cli/terminal.h"

namespace ccr::cli {

struct SealOptions {
  std::string provider;        // for whose keys the sealed text is good
  std::string file;            // with the key; empty = standard input
  std::string new_master_key;  // the file to make instead; never over one that is there
};

// Prints the key sealed with the newest master key of the configuration, which is made when it names none and none is
// there. A sealed text in the key's place is opened and sealed anew. The key comes from descriptor `in`; with `ask` a
// person types it. 0: done. 1: a file or the master key cannot be used. 2: nothing sensible was asked for, or it is no
// key.
int SealKey(const ServiceOptions& options, const SealOptions& seal, int in, bool ask, const Terminal& terminal);

}  // namespace ccr::cli

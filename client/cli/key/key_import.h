// `ccr key import`: many keys at once.
#pragma once

#include <istream>

#include "client/cli/key/key_options.h"
#include "client/cli/service/service.h"
#include "client/cli/terminal.h"

namespace ccr::cli {

// Reads options.file ("-": `in`) as key_input.h has it and sends what it holds, 1,000 keys at a time; with a bar on a
// terminal. Nothing is sent when the file has a mistake. With options.validate each key that was added is asked for at
// the provider, options.parallel at once. 0: all keys are there. 1: the broker did not take some, or the provider
// refuses some. 2: the file is wrong. 3: no broker.
int ImportKeys(const ServiceOptions& service, const KeyOptions& options, std::istream& in, const Terminal& terminal);

}  // namespace ccr::cli

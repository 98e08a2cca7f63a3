// What a key is called when the configuration gives it no name.
#pragma once

#include "broker/base/secret.h"
#include "broker/config/config.h"

namespace ccr {

// Names each key that has no name: "key-" and the first eight digits of its fingerprint, or all sixteen where another
// key of its provider is called that. So a key keeps its name wherever it stands in the list, over reloads and
// restarts, for as long as the salt of the fingerprints stays.
void NameKeys(const Fingerprinter& fingerprinter, Config* config);

}  // namespace ccr

// What a key is called when the configuration gives it no name.
#pragma once

#include <functional>
#include <string>

#include "broker/base/secret.h"
#include "broker/config/config.h"

namespace ccr {

// Names each key that has no name: "key-" and the first eight digits of its fingerprint, or all sixteen where another
// key of its provider is called that. So a key keeps its name wherever it stands in the list, over reloads and
// restarts, for as long as the salt of the fingerprints stays.
void NameKeys(const Fingerprinter& fingerprinter, Config* config);

// As NameKeys does, of a key that comes to others, whose names are taken.
std::string NewKeyName(const std::string& fingerprint, const std::function<bool(const std::string&)>& is_taken);

}  // namespace ccr

// Keys that stand sealed in a configuration: {sealed: "ccr-sealed:1:..."}.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "broker/base/sealer.h"
#include "broker/base/secret.h"
#include "broker/config/keys.h"
#include "broker/config/master_keys.h"

namespace ccr {

// What a key in a configuration is sealed for: its provider (upper and lower case are one).
SealContext ContextOfFileKey(std::string_view provider);

// Opens with `master_keys`, of the file `top`. Null after an error was recorded: those that the file names cannot be
// used. The one of the state folder is read at the first key.
KeyOpener OpenerWith(std::shared_ptr<const MasterKeys> master_keys, MapReader* top);

// Why the sealed key of an entry of "api_keys" is refused for what it is, and what to do; empty for one that opens,
// that is not sealed, where nobody opens, and for lack of all master keys.
std::string RefusalOf(const Node& entry, const std::string& provider, const KeyFiles& files);

// The field "sealed" of `fields`. Empty where nobody opens; nothing after an error was recorded.
std::optional<Secret> ReadSealed(MapReader* fields, const Place& place, const KeyFiles& files);

// "Broker.master_key" of the whole file, and where it is without. Reads no key.
std::shared_ptr<const MasterKeys> ReadMasterKeys(MapReader* top, const MasterKeyPlace& where, const KeyFiles& files,
                                                 const EnvLookup& env);

}  // namespace ccr

// `ccr key` by the running broker: what it changes of single keys, and what it tells of them.
//
// Each returns the exit status: 0 done, 1 refused or failed, 2 wrong input, 3 no broker. A change is in effect and on
// disk when it returns; one line says what is so now, and how to take it back.
#pragma once

#include <istream>
#include <string>

#include "absl/status/status.h"
#include "client/cli/broker_call.h"
#include "client/cli/key/key_options.h"
#include "client/cli/service/service.h"
#include "client/cli/terminal.h"

namespace ccr::cli {

int ListKeys(const ServiceOptions& service, const KeyOptions& options, const Terminal& terminal);

// The key comes from options.file or `in`; with `ask` a person types it.
int AddKey(const ServiceOptions& service, const KeyOptions& options, std::istream& in, bool ask,
           const Terminal& terminal);

int RemoveKey(const ServiceOptions& service, const KeyOptions& options, const Terminal& terminal);
int DisableKey(const ServiceOptions& service, const KeyOptions& options, const Terminal& terminal);
int EnableKey(const ServiceOptions& service, const KeyOptions& options, const Terminal& terminal);
int ResetKey(const ServiceOptions& service, const KeyOptions& options, const Terminal& terminal);

// 0: the provider takes the key. 1: it does not, or was not reached.
int TestKey(const ServiceOptions& service, const KeyOptions& options, const Terminal& terminal);

int KeyHistory(const ServiceOptions& service, const KeyOptions& options, const Terminal& terminal);

// Tells why the broker made no change of `provider`, or of its key `key` (which may be empty), with the nearest name.
// Returns the exit status.
int TellRefusal(BrokerCall& broker, const absl::Status& status, const std::string& provider, const std::string& key,
                const Terminal& terminal);

// Why a command line with a key in it is refused.
std::string KeyOnCommandLine();

}  // namespace ccr::cli

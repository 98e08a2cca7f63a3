// A key as KeyAdmin takes it.
#pragma once

#include "broker/config/config.h"
#include "ccr/broker/v1/key_admin.pb.h"

namespace ccr::cli {

// The caller wipes it (WipeText) when it is sent. `config` says all but the key itself.
broker::v1::NewKey ToProto(const KeyConfig& config, const Secret& secret);

}  // namespace ccr::cli

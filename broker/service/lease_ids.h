// Where lease ids come from.
#pragma once

#include "broker/core/types.h"

namespace ccr {

// 128 unguessable bits in every id, drawn from the operating system a buffer at a time. Thread-safe, takes no lock.
core::LeaseId NewLeaseId(uint32_t epoch, uint32_t pool);

// An epoch for one run of the broker: 32 random bits, never 0.
uint32_t NewEpoch();

}  // namespace ccr

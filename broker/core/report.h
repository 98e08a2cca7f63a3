// The end of a lease, and what was decided about it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/core/types.h"

namespace ccr::core {

enum class Disposition { kApplied, kDuplicate, kLate };
enum class Advice { kRelay, kRotate, kRetry };

struct Report {
  LeaseId id;
  Evidence evidence;
  // Of a request whose leases do not name each other (LeaseArgs::retry_of): keys refused before this one.
  uint32_t earlier_permission_denials = 0;
  uint32_t earlier_overloads = 0;
  std::string request_id = {};  // the caller's name of the request; for logs
};

struct Decision {
  Disposition disposition = Disposition::kApplied;
  Outcome outcome = Outcome::kNeutral;
  std::string_view reason;  // static storage
  Advice advice = Advice::kRelay;
  int http_status = 0;     // that the evidence stands for; 0 = none
  bool exhausted = false;  // an error, and not certainly the request's: where no key does better, another model may
  KeyIndex key = kNoKey;   // kNoKey when late or duplicate
  LeaseId lease;           // the one reported
};

}  // namespace ccr::core

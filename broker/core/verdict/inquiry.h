// Refusals that are judged when the request is over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "broker/core/key.h"
#include "broker/core/model_table.h"
#include "broker/core/types.h"

namespace ccr::core {

// So many keys of one request may be refused; then the refusal is its answer.
inline constexpr uint32_t kMaxRefusals = 5;
// A pool that served so recently is not taken for one that refuses everybody on the word of a single request.
inline constexpr absl::Duration kServedLately = absl::Minutes(1);

// A key that served so recently works otherwise: what it says of a request tells of the request.
inline constexpr absl::Duration kWorksOtherwise = absl::Minutes(10);
// Where no key is known to work, so long after a request that all keys refused the next may be asked of more than two;
// doubles up to kMaxAskAllGap.
inline constexpr absl::Duration kAskAllGap = absl::Seconds(1);
inline constexpr absl::Duration kMaxAskAllGap = absl::Minutes(5);

// A key refused, and it is not known yet whose fault that is.
struct Suspicion {
  KeyIndex key = kNoKey;
  uint64_t sequence = 0;               // of the refused lease
  Outcome outcome = Outcome::kAuth;    // the class, if it is the key's fault
  std::string_view reason;             // static storage
  ModelId model = kAnyModel;           // it is the key's fault for this model alone
  bool foreign_path = false;           // see Evidence
  std::optional<absl::Duration> wait;  // until the key is back, as the provider said
  bool window = false;                 // that is the end of a window of quota
  Key::Mark rest;                      // what it began
};

// One request of a client, from its first refusal on. Its leases follow each other; `last` is the one that ended last.
struct Inquiry {
  static constexpr uint32_t kEnough = 2;  // so many witnesses prove that it is the request

  uint64_t number = 0;  // 0 = closed
  uint32_t refusals = 0;
  uint64_t said = 0;               // what the last answer said: a hash of status, type and code
  uint32_t said_by = 0;            // so many keys in a row said just that
  uint32_t witnesses = 0;          // of them, keys that work otherwise
  bool witnessed_failure = false;  // a key that works otherwise failed upstream
  LeaseId last;
  absl::InlinedVector<Suspicion, 2> suspects;  // kMaxRefusals at most
};

// The requests that are not over. A newer one takes the place of the oldest beyond kMaxOpen: its suspects get no
// verdict from it, their probes decide. Every operation is O(1). Not thread-safe; no clock.
class InquiryTable {
 public:
  static constexpr size_t kMaxOpen = 1024;

  Inquiry* Find(uint64_t number);          // nullptr when it is closed; valid until the next Open
  uint64_t Of(const LeaseId& last) const;  // the number of the inquiry whose last lease that was, else 0
  Inquiry& Open();
  void Follow(Inquiry& inquiry, const LeaseId& last);
  Inquiry Close(Inquiry& inquiry);
  void Clear();

 private:
  // Law: inquiry n is in ring_[n % kMaxOpen] as long as none came that needs the place; by_last_ has the `last` of all
  // that are open.
  std::vector<Inquiry> ring_;
  absl::flat_hash_map<LeaseId, uint64_t> by_last_;
  uint64_t opened_ = 0;
};

}  // namespace ccr::core

// Records that wait for the store, in order and each key once.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "broker/ports/key_store.h"

namespace ccr {

// A record of a key takes the place of an earlier one of that key. Not thread-safe.
class PendingRecords {
 public:
  void Add(Record record);
  absl::Span<const Record> records() const { return records_; }
  void RemoveFirst(size_t count);

 private:
  using KeyId = std::pair<std::string, std::string>;  // pool, fingerprint

  // Law: index_[id of records_[i]] == i, for every record of a key.
  std::vector<Record> records_;
  absl::flat_hash_map<KeyId, size_t> index_;
};

}  // namespace ccr

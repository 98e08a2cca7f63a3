// Records that wait for the store, in order and each name once.
#pragma once

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "broker/ports/key_store.h"

namespace ccr {

// A record takes the place of an earlier one of the same name. Not thread-safe.
class PendingRecords {
 public:
  void Add(Record record);
  absl::Span<const Record> records() const { return records_; }
  void RemoveFirst(size_t count);

 private:
  using Name = std::tuple<std::string, std::string, std::string>;
  static Name NameOf(const Record& record);

  // Law: index_[NameOf(records_[i])] == i.
  std::vector<Record> records_;
  absl::flat_hash_map<Name, size_t> index_;
};

}  // namespace ccr

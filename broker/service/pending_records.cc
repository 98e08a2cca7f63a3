#include "broker/service/pending_records.h"

namespace ccr {

PendingRecords::Name PendingRecords::NameOf(const Record& record) {
  if (const auto* key = std::get_if<KeyRecord>(&record)) return {key->pool, "", key->fingerprint};
  const auto& change = std::get<ChangeRecord>(record);
  return {change.pool, change.kind, change.id};
}

void PendingRecords::Add(Record record) {
  const auto [known, is_new] = index_.try_emplace(NameOf(record), records_.size());
  if (is_new) {
    records_.push_back(std::move(record));
  } else {
    records_[known->second] = std::move(record);
  }
}

void PendingRecords::RemoveFirst(size_t count) {
  std::vector<Record> rest(std::make_move_iterator(records_.begin() + static_cast<ptrdiff_t>(count)),
                           std::make_move_iterator(records_.end()));
  records_.clear();
  index_.clear();
  for (Record& record : rest) Add(std::move(record));
}

}  // namespace ccr

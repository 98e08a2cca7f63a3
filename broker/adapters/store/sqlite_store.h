// The durable key store: one SQLite database in the broker's state folder.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/base/mutex.h"
#include "broker/ports/key_store.h"

struct sqlite3;
struct sqlite3_stmt;

namespace ccr {

// One row a key, in SQLite's write-ahead log: a record that Append has taken survives kill -9 of the process; a power
// failure may take the last ones. One Append is one transaction. Holds no key, only fingerprints. Other programs may
// read the file at any time (`sqlite3 FILE .backup COPY`). Thread-safe.
class SqliteStore final : public KeyStore {
 public:
  // Opens or makes the database, readable by its owner only. Unavailable when it cannot be opened or written; DataLoss
  // when it is damaged or no database; FailedPrecondition when a later version of the broker has written it.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const std::string& path);
  ~SqliteStore() override;
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

  absl::StatusOr<std::vector<KeyRecord>> Load() override;
  absl::Status Append(absl::Span<const KeyRecord> records) override;

 private:
  struct CloseDatabase {
    void operator()(sqlite3* database) const;
  };
  struct FinishStatement {
    void operator()(sqlite3_stmt* statement) const;
  };
  using Database = std::unique_ptr<sqlite3, CloseDatabase>;
  using Statement = std::unique_ptr<sqlite3_stmt, FinishStatement>;

  SqliteStore(std::string path, Database database) : path_(std::move(path)), database_(std::move(database)) {}

  absl::Status Prepare();
  absl::Status Execute(const char* sql) CCR_REQUIRES(mutex_);
  absl::StatusOr<Statement> Compile(const char* sql) CCR_REQUIRES(mutex_);
  absl::StatusOr<int> Version() CCR_REQUIRES(mutex_);
  absl::Status Put(const KeyRecord& record) CCR_REQUIRES(mutex_);
  absl::Status Failure(int code) const CCR_REQUIRES(mutex_);

  const std::string path_;
  Mutex mutex_;
  Database database_ CCR_GUARDED_BY(mutex_);
  Statement put_ CCR_GUARDED_BY(mutex_);  // ends before the database
};

}  // namespace ccr

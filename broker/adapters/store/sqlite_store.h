// The durable key store: one SQLite database in the broker's state folder.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "broker/base/mutex.h"
#include "broker/ports/key_store.h"

struct sqlite3;
struct sqlite3_stmt;

namespace ccr {

// One row a key, in SQLite's write-ahead log: a record that Commit has taken survives kill -9 of the process; a power
// failure may take the last ones. One Commit is one transaction. Every row has a checksum: one that does not hold, or
// that this version does not understand, is left out and named by Load. Holds no key, only fingerprints. Other programs
// may read the file at any time (`sqlite3 FILE .backup COPY`). A call waits up to 2 s for another's lock. Thread-safe.
class SqliteStore final : public KeyStore {
 public:
  // Opens or makes the database, readable by its owner only. Unavailable when it cannot be opened or written; DataLoss
  // when it is damaged or no database; FailedPrecondition when a later version of the broker has written it.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const std::string& path);
  ~SqliteStore() override;
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

  absl::StatusOr<Fence> Acquire() override;
  absl::StatusOr<Loaded> Load() override;
  absl::Status Commit(absl::Span<const Record> batch, Fence fence) override;

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
  // The first row's first column, a number.
  absl::StatusOr<int64_t> Number(const char* sql) CCR_REQUIRES(mutex_);
  absl::Status CheckWhole() CCR_REQUIRES(mutex_);
  absl::Status Migrate(int64_t version) CCR_REQUIRES(mutex_);
  absl::Status AddColumns(int64_t version) CCR_REQUIRES(mutex_);
  // All of `body` in one transaction, or nothing.
  absl::Status Transact(absl::FunctionRef<absl::Status()> body) CCR_REQUIRES(mutex_);
  absl::Status CheckFence(Fence fence) CCR_REQUIRES(mutex_);
  absl::Status Put(const KeyRecord& record) CCR_REQUIRES(mutex_);
  absl::Status Put(const ChangeRecord& change) CCR_REQUIRES(mutex_);
  absl::Status LoadChanges(Loaded* loaded) CCR_REQUIRES(mutex_);
  absl::Status Failure(int code) const CCR_REQUIRES(mutex_);

  const std::string path_;
  Mutex mutex_;
  Database database_ CCR_GUARDED_BY(mutex_);
  Statement put_ CCR_GUARDED_BY(mutex_);  // ends before the database, as the next ones
  Statement put_change_ CCR_GUARDED_BY(mutex_);
  Statement drop_change_ CCR_GUARDED_BY(mutex_);
  Statement fence_ CCR_GUARDED_BY(mutex_);
};

}  // namespace ccr

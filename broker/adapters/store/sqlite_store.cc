#include "broker/adapters/store/sqlite_store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "broker/core/outcome.h"

namespace ccr {
namespace {

constexpr int kVersion = 1;
constexpr int kBusyMillis = 2000;

// Moments are nanoseconds since 1970, NULL = never.
constexpr char kSchema[] = R"(
  CREATE TABLE key_state (
    pool TEXT NOT NULL, fingerprint TEXT NOT NULL,
    state TEXT NOT NULL, reason TEXT NOT NULL, available_at INTEGER,
    consecutive_failures INTEGER NOT NULL, rpm_used INTEGER NOT NULL,
    uses INTEGER NOT NULL, successes INTEGER NOT NULL, failures INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    last_used INTEGER, last_failure INTEGER, last_success INTEGER, latency_ns INTEGER NOT NULL,
    PRIMARY KEY (pool, fingerprint)
  ) STRICT, WITHOUT ROWID;
  PRAGMA user_version = 1;)";

constexpr char kSelect[] = R"(SELECT pool, fingerprint, state, reason, available_at, consecutive_failures, rpm_used,
  uses, successes, failures, input_tokens, output_tokens, last_used, last_failure, last_success, latency_ns
  FROM key_state)";

constexpr char kPut[] = "INSERT OR REPLACE INTO key_state VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

std::optional<core::KeyState> StateOf(std::string_view text) {
  for (const core::KeyState state : {core::KeyState::kActive, core::KeyState::kCooling, core::KeyState::kDisabled}) {
    if (core::ToString(state) == text) return state;
  }
  return std::nullopt;
}

// Binds values of one row from left to right.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
  Row& operator<<(std::string_view text) {
    const char* begin = text.empty() ? "" : text.data();
    sqlite3_bind_text(statement_, ++column_, begin, static_cast<int>(text.size()), SQLITE_STATIC);
    return *this;
  }
  Row& operator<<(uint64_t number) {
    const auto most = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    sqlite3_bind_int64(statement_, ++column_, static_cast<int64_t>(std::min(number, most)));
    return *this;
  }
  Row& operator<<(absl::Time time) {
    if (time == absl::InfinitePast()) {
      sqlite3_bind_null(statement_, ++column_);
    } else {
      sqlite3_bind_int64(statement_, ++column_, absl::ToUnixNanos(time));
    }
    return *this;
  }
  Row& operator<<(absl::Duration duration) {
    return *this << static_cast<uint64_t>(absl::ToInt64Nanoseconds(duration));
  }

 private:
  sqlite3_stmt* const statement_;
  int column_ = 0;
};

// Reads values of one row from left to right.
class RowReader {
 public:
  explicit RowReader(sqlite3_stmt* statement) : statement_(statement) {}
  std::string Text() {
    const int column = column_++;
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return text == nullptr ? "" : std::string(text, static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
  }
  uint64_t Number() { return static_cast<uint64_t>(sqlite3_column_int64(statement_, column_++)); }
  absl::Time Moment() {
    const int column = column_++;
    if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return absl::InfinitePast();
    const int64_t nanos = sqlite3_column_int64(statement_, column);
    return nanos == std::numeric_limits<int64_t>::max() ? absl::InfiniteFuture() : absl::FromUnixNanos(nanos);
  }

 private:
  sqlite3_stmt* const statement_;
  int column_ = 0;
};

// False for a state that this version does not know.
bool Read(sqlite3_stmt* statement, KeyRecord* record) {
  RowReader row(statement);
  record->pool = row.Text();
  record->fingerprint = row.Text();
  core::KeySnapshot& key = record->state;
  const std::optional<core::KeyState> state = StateOf(row.Text());
  if (!state.has_value()) return false;
  key.state = *state;
  key.reason = core::StaticReason(row.Text());
  key.available_at = row.Moment();
  key.consecutive_failures = static_cast<uint32_t>(row.Number());
  key.rpm_used = static_cast<uint32_t>(row.Number());
  for (uint64_t* count : {&key.uses, &key.successes, &key.failures, &key.input_tokens, &key.output_tokens}) {
    *count = row.Number();
  }
  for (absl::Time* time : {&key.last_used, &key.last_failure, &key.last_success}) *time = row.Moment();
  key.latency = absl::Nanoseconds(row.Number());
  return true;
}

// SQLite gives its log files the mode of the database.
absl::Status MakePrivate(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return absl::UnavailableError(absl::StrCat("cannot open ", path, ": ", std::strerror(errno)));
  close(fd);
  return absl::OkStatus();
}

}  // namespace

void SqliteStore::CloseDatabase::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}

void SqliteStore::FinishStatement::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const std::string& path) {
  if (const absl::Status made = MakePrivate(path); !made.ok()) return made;
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(opened);
  if (code != SQLITE_OK) return absl::UnavailableError(absl::StrCat("cannot open ", path, ": ", sqlite3_errstr(code)));
  std::unique_ptr<SqliteStore> store(new SqliteStore(path, std::move(database)));
  if (const absl::Status prepared = store->Prepare(); !prepared.ok()) return prepared;
  return store;
}

SqliteStore::~SqliteStore() = default;

absl::Status SqliteStore::Prepare() {
  MutexLock lock(mutex_);
  sqlite3_busy_timeout(database_.get(), kBusyMillis);
  if (const absl::Status set = Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"); !set.ok())
    return set;
  const absl::StatusOr<int> version = Version();
  if (!version.ok()) return version.status();
  if (*version > kVersion) {
    return absl::FailedPreconditionError(absl::StrCat(path_, " was written by a later version of ccr-broker (format ",
                                                      *version, "): use that one, or move the file away"));
  }
  if (*version == 0) {
    if (const absl::Status made = Execute(absl::StrCat("BEGIN IMMEDIATE;", kSchema, "COMMIT;").c_str()); !made.ok()) {
      return made;
    }
  }
  absl::StatusOr<Statement> put = Compile(kPut);
  if (!put.ok()) return put.status();
  put_ = *std::move(put);
  return absl::OkStatus();
}

absl::StatusOr<int> SqliteStore::Version() {
  absl::StatusOr<Statement> query = Compile("PRAGMA user_version");
  if (!query.ok()) return query.status();
  const int code = sqlite3_step(query->get());
  if (code != SQLITE_ROW) return Failure(code);
  return sqlite3_column_int(query->get(), 0);
}

absl::StatusOr<std::vector<KeyRecord>> SqliteStore::Load() {
  MutexLock lock(mutex_);
  absl::StatusOr<Statement> query = Compile(kSelect);
  if (!query.ok()) return query.status();
  std::vector<KeyRecord> records;
  int code = SQLITE_OK;
  while ((code = sqlite3_step(query->get())) == SQLITE_ROW) {
    KeyRecord record;
    if (Read(query->get(), &record)) records.push_back(std::move(record));
  }
  if (code != SQLITE_DONE) return Failure(code);
  return records;
}

absl::Status SqliteStore::Append(absl::Span<const KeyRecord> records) {
  MutexLock lock(mutex_);
  absl::Status status = Execute("BEGIN IMMEDIATE");
  if (!status.ok()) return status;
  for (const KeyRecord& record : records) {
    status = Put(record);
    if (!status.ok()) break;
  }
  if (status.ok()) status = Execute("COMMIT");
  if (!status.ok()) Execute("ROLLBACK").IgnoreError();
  return status;
}

absl::Status SqliteStore::Put(const KeyRecord& record) {
  const core::KeySnapshot& key = record.state;
  Row(put_.get()) << record.pool << record.fingerprint << core::ToString(key.state) << key.reason << key.available_at
                  << uint64_t{key.consecutive_failures} << uint64_t{key.rpm_used} << key.uses << key.successes
                  << key.failures << key.input_tokens << key.output_tokens << key.last_used << key.last_failure
                  << key.last_success << key.latency;
  const int code = sqlite3_step(put_.get());
  const absl::Status status = code == SQLITE_DONE ? absl::OkStatus() : Failure(code);
  sqlite3_reset(put_.get());
  return status;
}

absl::Status SqliteStore::Execute(const char* sql) {
  const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Failure(code);
}

absl::StatusOr<SqliteStore::Statement> SqliteStore::Compile(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr);
  if (code != SQLITE_OK) return Failure(code);
  return Statement(statement);
}

absl::Status SqliteStore::Failure(int code) const {
  const int kind = code & 0xFF;
  if (kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB) {
    return absl::DataLossError(absl::StrCat(path_, " is damaged (", sqlite3_errstr(code),
                                            "): restore a backup, or move it away to start anew"));
  }
  return absl::UnavailableError(absl::StrCat(path_, ": ", sqlite3_errmsg(database_.get())));
}

}  // namespace ccr

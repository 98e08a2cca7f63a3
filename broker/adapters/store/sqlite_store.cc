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
#include "broker/adapters/store/model_text.h"
#include "broker/base/absl_text.h"
#include "broker/base/secret.h"
#include "broker/core/verdict/outcome.h"

namespace ccr {
namespace {

constexpr int64_t kVersion = 6;
constexpr int kBusyMillis = 2000;

// Moments are nanoseconds since 1970, NULL = never. learned_rate and learned_depth are in millionths. models is as
// model_text.h has it.
constexpr char kSchema[] = R"(
  CREATE TABLE key_state (
    pool TEXT NOT NULL, fingerprint TEXT NOT NULL,
    state TEXT NOT NULL, reason TEXT NOT NULL, available_at INTEGER,
    consecutive_failures INTEGER NOT NULL, rpm_used INTEGER NOT NULL,
    uses INTEGER NOT NULL, successes INTEGER NOT NULL, failures INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    last_used INTEGER, last_failure INTEGER, last_success INTEGER, latency_ns INTEGER NOT NULL,
    last_error TEXT NOT NULL, last_error_id TEXT NOT NULL, last_error_at INTEGER,
    tpm_used INTEGER NOT NULL, rpd_used INTEGER NOT NULL, tpd_used INTEGER NOT NULL,
    learned_rate INTEGER NOT NULL, learned_depth INTEGER NOT NULL, learned_in_flight INTEGER NOT NULL,
    models TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (pool, fingerprint)
  ) STRICT, WITHOUT ROWID;)";

constexpr char kChanges[] = R"(
  CREATE TABLE change (
    pool TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, content TEXT NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY (pool, kind, id)
  ) STRICT, WITHOUT ROWID;)";
constexpr char kSelectChanges[] = "SELECT pool, kind, id, content, checksum FROM change";
constexpr char kPutChange[] = "INSERT OR REPLACE INTO change (pool, kind, id, content, checksum) VALUES (?,?,?,?,?)";
constexpr char kDropChange[] = "DELETE FROM change WHERE pool = ? AND kind = ? AND id = ?";

constexpr char kOwner[] = R"(
  CREATE TABLE owner (fence INTEGER NOT NULL) STRICT;
  INSERT INTO owner VALUES (0);)";
constexpr char kChecksumColumn[] = "ALTER TABLE key_state ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0";
constexpr char kErrorColumns[] = R"(
  ALTER TABLE key_state ADD COLUMN last_error TEXT NOT NULL DEFAULT '';
  ALTER TABLE key_state ADD COLUMN last_error_id TEXT NOT NULL DEFAULT '';
  ALTER TABLE key_state ADD COLUMN last_error_at INTEGER;)";

constexpr char kLimitColumns[] = R"(
  ALTER TABLE key_state ADD COLUMN tpm_used INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE key_state ADD COLUMN rpd_used INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE key_state ADD COLUMN tpd_used INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE key_state ADD COLUMN learned_rate INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE key_state ADD COLUMN learned_depth INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE key_state ADD COLUMN learned_in_flight INTEGER NOT NULL DEFAULT 0;)";

constexpr char kModelsColumn[] = "ALTER TABLE key_state ADD COLUMN models TEXT NOT NULL DEFAULT ''";

#define CCR_STATE_COLUMNS                                                                             \
  "pool, fingerprint, state, reason, available_at, consecutive_failures, rpm_used, uses, successes, " \
  "failures, input_tokens, output_tokens, last_used, last_failure, last_success, latency_ns"
#define CCR_ERROR_COLUMNS "last_error, last_error_id, last_error_at"
#define CCR_LIMIT_COLUMNS "tpm_used, rpd_used, tpd_used, learned_rate, learned_depth, learned_in_flight"
constexpr char kSelectOfVersion2[] = "SELECT " CCR_STATE_COLUMNS ", checksum FROM key_state";
constexpr char kSelectOfVersion3[] = "SELECT " CCR_STATE_COLUMNS ", " CCR_ERROR_COLUMNS ", checksum FROM key_state";
constexpr char kSelectOfVersion4[] =
    "SELECT " CCR_STATE_COLUMNS ", " CCR_ERROR_COLUMNS ", " CCR_LIMIT_COLUMNS ", checksum FROM key_state";
constexpr char kSelect[] =
    "SELECT " CCR_STATE_COLUMNS ", " CCR_ERROR_COLUMNS ", " CCR_LIMIT_COLUMNS ", models, checksum FROM key_state";
constexpr char kPut[] =
    "INSERT OR REPLACE INTO key_state (" CCR_STATE_COLUMNS ", " CCR_ERROR_COLUMNS ", " CCR_LIMIT_COLUMNS
    ", models, checksum) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
#undef CCR_LIMIT_COLUMNS
#undef CCR_STATE_COLUMNS
#undef CCR_ERROR_COLUMNS

const char* SelectOf(int64_t version) {
  return version < 3 ? kSelectOfVersion2 : version < 4 ? kSelectOfVersion3 : kSelectOfVersion4;
}

std::optional<core::KeyState> StateOf(std::string_view text) {
  for (const core::KeyState state : {core::KeyState::kActive, core::KeyState::kCooling, core::KeyState::kDisabled}) {
    if (core::ToString(state) == text) return state;
  }
  return std::nullopt;
}

// The checksum of a row: 64 bits of SHA-256 over its values, each with its type and length.
class RowChecksum {
 public:
  void Add(std::string_view text) { absl::StrAppend(&values_, "t", text.size(), ":", ToAbsl(text)); }
  void Add(int64_t number) { absl::StrAppend(&values_, "i", number, ";"); }
  void AddNull() { values_ += 'n'; }
  int64_t Sum() const {
    int64_t sum = 0;
    std::memcpy(&sum, Sha256(values_).data(), sizeof(sum));
    return sum;
  }

 private:
  std::string values_;
};

// Binds values of one row from left to right.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
  Row& operator<<(std::string_view text) {
    const char* begin = text.empty() ? "" : text.data();
    sqlite3_bind_text(statement_, ++column_, begin, static_cast<int>(text.size()), SQLITE_STATIC);
    checksum_.Add(text);
    return *this;
  }
  Row& operator<<(uint64_t number) {
    const auto most = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    return Bind(static_cast<int64_t>(std::min(number, most)));
  }
  Row& operator<<(absl::Time time) {
    if (time != absl::InfinitePast()) return Bind(absl::ToUnixNanos(time));
    sqlite3_bind_null(statement_, ++column_);
    checksum_.AddNull();
    return *this;
  }
  Row& operator<<(absl::Duration duration) {
    return *this << static_cast<uint64_t>(absl::ToInt64Nanoseconds(duration));
  }
  void End() { Bind(checksum_.Sum()); }

 private:
  Row& Bind(int64_t number) {
    sqlite3_bind_int64(statement_, ++column_, number);
    checksum_.Add(number);
    return *this;
  }

  sqlite3_stmt* const statement_;
  int column_ = 0;
  RowChecksum checksum_;
};

// Reads values of one row from left to right.
class RowReader {
 public:
  explicit RowReader(sqlite3_stmt* statement) : statement_(statement) {}
  std::string Text() {
    const int column = column_++;
    const auto* begin = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    if (begin == nullptr) return "";
    std::string text(begin, static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
    checksum_.Add(text);
    return text;
  }
  uint64_t Number() { return static_cast<uint64_t>(Integer()); }
  absl::Time Moment() {
    if (sqlite3_column_type(statement_, column_) == SQLITE_NULL) {
      ++column_;
      checksum_.AddNull();
      return absl::InfinitePast();
    }
    const int64_t nanos = Integer();
    return nanos == std::numeric_limits<int64_t>::max() ? absl::InfiniteFuture() : absl::FromUnixNanos(nanos);
  }
  // Whether the checksum, which is next, is that of what was read.
  bool IsSound() {
    const int64_t sum = checksum_.Sum();
    return Integer() == sum;
  }

 private:
  int64_t Integer() {
    const int64_t number = sqlite3_column_int64(statement_, column_++);
    checksum_.Add(number);
    return number;
  }

  sqlite3_stmt* const statement_;
  int column_ = 0;
  RowChecksum checksum_;
};

// Whether SQLite says of the file, in one way or another, that it is not what this store has written: what is asked of it
// is always the same, so that an error in a question is one of the file too. Who may not write a file that was opened for
// writing has read in its header that nobody may.
bool MeansDamage(int code) {
  switch (code & 0xFF) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:
    case SQLITE_SCHEMA:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
    case SQLITE_FORMAT:
      return true;
    default:
      return code == SQLITE_READONLY;  // not one of its kinds, such as a file that was moved
  }
}

enum class Reading : uint8_t { kOk, kDamaged, kUnknown };

// A row as that version of the format has it.
Reading Read(sqlite3_stmt* statement, int64_t version, KeyRecord* record) {
  RowReader row(statement);
  record->pool = row.Text();
  record->fingerprint = row.Text();
  core::KeySnapshot& key = record->state;
  const std::optional<core::KeyState> state = StateOf(row.Text());
  key.state = state.value_or(core::KeyState::kActive);
  key.reason = core::StaticReason(row.Text());
  key.available_at = row.Moment();
  key.consecutive_failures = static_cast<uint32_t>(row.Number());
  key.used.rpm = row.Number();
  for (uint64_t* count : {&key.uses, &key.successes, &key.failures, &key.input_tokens, &key.output_tokens}) {
    *count = row.Number();
  }
  for (absl::Time* time : {&key.last_used, &key.last_failure, &key.last_success}) *time = row.Moment();
  key.latency = absl::Nanoseconds(row.Number());
  if (version >= 3) {
    record->error.text = row.Text();
    record->error.request_id = row.Text();
    record->error.at = row.Moment();
  }
  if (version >= 4) {
    for (uint64_t* used : {&key.used.tpm, &key.used.rpd, &key.used.tpd}) *used = row.Number();
    for (double* learned : {&key.learned.rate, &key.learned.depth}) *learned = FromMillionths(row.Number());
    key.learned.max_in_flight = static_cast<uint32_t>(row.Number());
  }
  const bool models_known = version < 5 || ReadModels(row.Text(), &key);
  if (!row.IsSound()) return Reading::kDamaged;
  return state.has_value() && models_known ? Reading::kOk : Reading::kUnknown;
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
  const absl::StatusOr<int64_t> version = Number("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version > kVersion) {
    return absl::FailedPreconditionError(absl::StrCat(path_, " was written by a later version of ccr-broker (format ",
                                                      *version, "): use that one, or move the file away"));
  }
  if (const absl::Status whole = CheckWhole(); !whole.ok()) return whole;
  if (*version < kVersion) {
    if (const absl::Status made = Transact([&]() CCR_REQUIRES(mutex_) { return Migrate(*version); }); !made.ok())
      return made;
  }
  absl::StatusOr<Statement> put = Compile(kPut);
  if (!put.ok()) return put.status();
  put_ = *std::move(put);
  absl::StatusOr<Statement> put_change = Compile(kPutChange);
  if (!put_change.ok()) return put_change.status();
  put_change_ = *std::move(put_change);
  absl::StatusOr<Statement> drop_change = Compile(kDropChange);
  if (!drop_change.ok()) return drop_change.status();
  drop_change_ = *std::move(drop_change);
  absl::StatusOr<Statement> fence = Compile("SELECT fence FROM owner");
  if (!fence.ok()) return fence.status();
  fence_ = *std::move(fence);
  return absl::OkStatus();
}

// Checksums say that rows are right; this says that none is missing.
absl::Status SqliteStore::CheckWhole() {
  absl::StatusOr<Statement> query = Compile("PRAGMA quick_check(1)");
  if (!query.ok()) return query.status();
  const int code = sqlite3_step(query->get());
  if (code != SQLITE_ROW) return Failure(code);
  const auto* answer = reinterpret_cast<const char*>(sqlite3_column_text(query->get(), 0));
  return answer != nullptr && std::string_view(answer) == "ok" ? absl::OkStatus() : Failure(SQLITE_CORRUPT);
}

absl::Status SqliteStore::Migrate(int64_t version) {
  absl::Status made = version == 0 ? Execute(kSchema) : AddColumns(version);
  if (made.ok() && version < 2) made = Execute(kOwner);
  if (made.ok()) made = Execute(kChanges);
  return made.ok() ? Execute("PRAGMA user_version = 6") : made;
}

// Rows get a checksum over what they hold now; those that were damaged stay so.
absl::Status SqliteStore::AddColumns(int64_t version) {
  absl::Status added = version < 2 ? Execute(kChecksumColumn) : absl::OkStatus();
  if (added.ok() && version < 3) added = Execute(kErrorColumns);
  if (version >= 5) return added;  // its rows are as they are now
  if (added.ok() && version < 4) added = Execute(kLimitColumns);
  if (added.ok()) added = Execute(kModelsColumn);
  if (!added.ok()) return added;
  absl::StatusOr<Statement> query = Compile(SelectOf(version));
  if (!query.ok()) return query.status();
  std::vector<KeyRecord> records;
  int code = SQLITE_OK;
  while ((code = sqlite3_step(query->get())) == SQLITE_ROW) {
    const Reading read = Read(query->get(), version, &records.emplace_back());
    if (read == Reading::kUnknown || (read == Reading::kDamaged && version >= 2)) records.pop_back();
  }
  if (code != SQLITE_DONE) return Failure(code);
  absl::StatusOr<Statement> put = Compile(kPut);
  if (!put.ok()) return put.status();
  put_ = *std::move(put);
  for (const KeyRecord& record : records) {
    if (const absl::Status written = Put(record); !written.ok()) return written;
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> SqliteStore::Number(const char* sql) {
  absl::StatusOr<Statement> query = Compile(sql);
  if (!query.ok()) return query.status();
  const int code = sqlite3_step(query->get());
  if (code != SQLITE_ROW) return Failure(code == SQLITE_DONE ? SQLITE_CORRUPT : code);
  return sqlite3_column_int64(query->get(), 0);
}

absl::StatusOr<Fence> SqliteStore::Acquire() {
  MutexLock lock(mutex_);
  int64_t fence = 0;
  const absl::Status taken = Transact([&]() CCR_REQUIRES(mutex_) -> absl::Status {
    if (const absl::Status raised = Execute("UPDATE owner SET fence = fence + 1"); !raised.ok()) return raised;
    const absl::StatusOr<int64_t> now = Number("SELECT fence FROM owner");
    if (!now.ok()) return now.status();
    fence = *now;
    return fence > 0 ? absl::OkStatus() : Failure(SQLITE_CORRUPT);
  });
  if (!taken.ok()) return taken;
  return static_cast<Fence>(fence);
}

absl::StatusOr<KeyStore::Loaded> SqliteStore::Load() {
  MutexLock lock(mutex_);
  absl::StatusOr<Statement> query = Compile(kSelect);
  if (!query.ok()) return query.status();
  Loaded loaded;
  int code = SQLITE_OK;
  while ((code = sqlite3_step(query->get())) == SQLITE_ROW) {
    KeyRecord record;
    const Reading read = Read(query->get(), kVersion, &record);
    if (read == Reading::kOk) {
      loaded.keys.push_back(std::move(record));
    } else {
      loaded.damaged.push_back(
          absl::StrCat(record.pool, "/", record.fingerprint, " in ", path_,
                       read == Reading::kDamaged ? ": its checksum is wrong" : ": its state is unknown"));
    }
  }
  if (code != SQLITE_DONE) return Failure(code);
  if (const absl::Status read = LoadChanges(&loaded); !read.ok()) return read;
  return loaded;
}

absl::Status SqliteStore::LoadChanges(Loaded* loaded) {
  absl::StatusOr<Statement> query = Compile(kSelectChanges);
  if (!query.ok()) return query.status();
  int code = SQLITE_OK;
  while ((code = sqlite3_step(query->get())) == SQLITE_ROW) {
    RowReader row(query->get());
    ChangeRecord change{row.Text(), row.Text(), row.Text(), row.Text()};
    if (row.IsSound()) {
      loaded->changes.push_back(std::move(change));
    } else {
      loaded->damaged.push_back(absl::StrCat("the change '", change.kind, "' of ", change.pool, "/", change.id, " in ",
                                             path_, ": its checksum is wrong"));
    }
  }
  return code == SQLITE_DONE ? absl::OkStatus() : Failure(code);
}

absl::Status SqliteStore::Commit(absl::Span<const Record> batch, Fence fence) {
  MutexLock lock(mutex_);
  return Transact([&]() CCR_REQUIRES(mutex_) {
    absl::Status status = CheckFence(fence);
    for (auto record = batch.begin(); status.ok() && record != batch.end(); ++record) {
      const auto* key = std::get_if<KeyRecord>(&*record);
      status = key != nullptr ? Put(*key) : Put(std::get<ChangeRecord>(*record));
    }
    return status;
  });
}

absl::Status SqliteStore::Transact(absl::FunctionRef<absl::Status()> body) {
  absl::Status status = Execute("BEGIN IMMEDIATE");
  if (!status.ok()) return status;
  status = body();
  if (status.ok()) status = Execute("COMMIT");
  if (!status.ok()) Execute("ROLLBACK").IgnoreError();
  return status;
}

absl::Status SqliteStore::CheckFence(Fence fence) {
  const int code = sqlite3_step(fence_.get());
  const auto owner = static_cast<Fence>(sqlite3_column_int64(fence_.get(), 0));
  sqlite3_reset(fence_.get());
  if (code != SQLITE_ROW) return Failure(code == SQLITE_DONE ? SQLITE_CORRUPT : code);
  if (fence >= owner) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(path_, ": another broker has taken over this state"));
}

absl::Status SqliteStore::Put(const KeyRecord& record) {
  const core::KeySnapshot& key = record.state;
  const std::string models = ModelText(key);
  Row row(put_.get());
  row << record.pool << record.fingerprint << core::ToString(key.state) << key.reason << key.available_at
      << uint64_t{key.consecutive_failures} << key.used.rpm << key.uses << key.successes << key.failures
      << key.input_tokens << key.output_tokens << key.last_used << key.last_failure << key.last_success << key.latency
      << record.error.text << record.error.request_id << record.error.at << key.used.tpm << key.used.rpd << key.used.tpd
      << InMillionths(key.learned.rate) << InMillionths(key.learned.depth) << uint64_t{key.learned.max_in_flight}
      << models;
  row.End();
  const int code = sqlite3_step(put_.get());
  const absl::Status status = code == SQLITE_DONE ? absl::OkStatus() : Failure(code);
  sqlite3_reset(put_.get());
  return status;
}

absl::Status SqliteStore::Put(const ChangeRecord& change) {
  sqlite3_stmt* const statement = change.content.empty() ? drop_change_.get() : put_change_.get();
  Row row(statement);
  row << change.pool << change.kind << change.id;
  if (!change.content.empty()) {
    row << change.content;
    row.End();
  }
  const int code = sqlite3_step(statement);
  const absl::Status status = code == SQLITE_DONE ? absl::OkStatus() : Failure(code);
  sqlite3_reset(statement);
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
  const int precise = sqlite3_extended_errcode(database_.get());
  if (MeansDamage((precise & 0xFF) == code ? precise : code)) {
    const char* what = code == SQLITE_ERROR ? sqlite3_errmsg(database_.get()) : sqlite3_errstr(code);
    return absl::DataLossError(
        absl::StrCat(path_, " is damaged (", what, "): restore a backup, or move it away to start anew"));
  }
  return absl::UnavailableError(absl::StrCat(path_, ": ", sqlite3_errmsg(database_.get())));
}

}  // namespace ccr

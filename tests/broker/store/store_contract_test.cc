// What every key store must do, and what only a durable one can.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>

#include "absl/strings/str_cat.h"
#include "broker/adapters/store/memory_store.h"
#include "broker/adapters/store/model_text.h"
#include "broker/adapters/store/sqlite_store.h"
#include "broker/base/secret.h"

namespace ccr {
namespace {

namespace fs = std::filesystem;

constexpr Fence kFence = 1;  // of the first owner

KeyRecord RecordOf(const std::string& pool, const std::string& fingerprint, uint64_t uses) {
  core::KeySnapshot state;
  state.available_at = state.last_used = state.last_failure = state.last_success = absl::InfinitePast();
  state.uses = uses;
  return {pool, fingerprint, state};
}

KeyRecord FullRecord() {
  KeyRecord record = RecordOf("pool, \"quoted\"", "f'1", 41);
  core::KeySnapshot& key = record.state;
  key.state = core::KeyState::kDisabled;
  key.reason = "auth";
  key.available_at = absl::FromUnixNanos(1'800'000'000'123'456'789);
  key.consecutive_failures = 2;
  key.used = {.rpm = 7, .tpm = 80'000, .rpd = 900, .tpd = 1'000'000'000'000};
  key.learned = {.rate = 0.966667, .depth = 60.5, .max_in_flight = 4};
  key.holds = {{"gpt 5:1\n", absl::FromUnixNanos(1'800'000'000'123'456'789), "rate_limited"},
               {"h 1 x 2:ab", absl::FromUnixSeconds(1'900'000'000), "quota_window"}};
  key.paces = {{"gpt 5:1\n", {.rate = 2.5, .depth = 7, .max_in_flight = 0}},
               {"m", {.rate = 0, .depth = 0, .max_in_flight = 3}}};
  key.successes = 30;
  key.failures = 11;
  key.input_tokens = 123'456'789'012;
  key.output_tokens = 5;
  key.last_used = absl::FromUnixMillis(1'700'000'000'001);
  key.last_failure = absl::FromUnixMillis(1'700'000'000'002);
  key.latency = absl::Microseconds(1234);
  record.error = {"HTTP 401: No such 'key'", "req-1", absl::FromUnixMillis(1'700'000'000'003)};
  return record;
}

void ExpectSame(const KeyRecord& got, const Record& record) {
  const auto& wanted = std::get<KeyRecord>(record);
  EXPECT_EQ(got.pool, wanted.pool);
  EXPECT_EQ(got.fingerprint, wanted.fingerprint);
  EXPECT_EQ(got.state.state, wanted.state.state);
  EXPECT_EQ(got.state.reason, wanted.state.reason);
  EXPECT_EQ(got.state.available_at, wanted.state.available_at);
  EXPECT_EQ(got.state.consecutive_failures, wanted.state.consecutive_failures);
  EXPECT_EQ(got.state.used.rpm, wanted.state.used.rpm);
  EXPECT_EQ(got.state.used.tpm, wanted.state.used.tpm);
  EXPECT_EQ(got.state.used.rpd, wanted.state.used.rpd);
  EXPECT_EQ(got.state.used.tpd, wanted.state.used.tpd);
  EXPECT_DOUBLE_EQ(got.state.learned.rate, wanted.state.learned.rate);
  EXPECT_DOUBLE_EQ(got.state.learned.depth, wanted.state.learned.depth);
  EXPECT_EQ(got.state.learned.max_in_flight, wanted.state.learned.max_in_flight);
  ASSERT_EQ(got.state.holds.size(), wanted.state.holds.size());
  for (size_t i = 0; i < got.state.holds.size(); ++i) {
    EXPECT_EQ(got.state.holds[i].model, wanted.state.holds[i].model);
    EXPECT_EQ(got.state.holds[i].until, wanted.state.holds[i].until);
    EXPECT_EQ(got.state.holds[i].reason, wanted.state.holds[i].reason);
  }
  ASSERT_EQ(got.state.paces.size(), wanted.state.paces.size());
  for (size_t i = 0; i < got.state.paces.size(); ++i) {
    EXPECT_EQ(got.state.paces[i].model, wanted.state.paces[i].model);
    EXPECT_DOUBLE_EQ(got.state.paces[i].learned.rate, wanted.state.paces[i].learned.rate);
    EXPECT_DOUBLE_EQ(got.state.paces[i].learned.depth, wanted.state.paces[i].learned.depth);
    EXPECT_EQ(got.state.paces[i].learned.max_in_flight, wanted.state.paces[i].learned.max_in_flight);
  }
  EXPECT_EQ(got.state.uses, wanted.state.uses);
  EXPECT_EQ(got.state.successes, wanted.state.successes);
  EXPECT_EQ(got.state.failures, wanted.state.failures);
  EXPECT_EQ(got.state.input_tokens, wanted.state.input_tokens);
  EXPECT_EQ(got.state.output_tokens, wanted.state.output_tokens);
  EXPECT_EQ(got.state.last_used, wanted.state.last_used);
  EXPECT_EQ(got.state.last_failure, wanted.state.last_failure);
  EXPECT_EQ(got.state.last_success, wanted.state.last_success);
  EXPECT_EQ(got.state.latency, wanted.state.latency);
  EXPECT_EQ(got.error.text, wanted.error.text);
  EXPECT_EQ(got.error.request_id, wanted.error.request_id);
  EXPECT_EQ(got.error.at, wanted.error.at);
}

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "ccr-store-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  std::string File() const { return (path_ / "state.db").string(); }

 private:
  fs::path path_;
};

struct Backend {
  const char* name;
  std::function<std::unique_ptr<KeyStore>(const Folder&)> make;
};

class KeyStoreContract : public testing::TestWithParam<Backend> {
 protected:
  Folder folder_;
  std::unique_ptr<KeyStore> store_ = GetParam().make(folder_);
};

TEST_P(KeyStoreContract, IsEmptyAtFirst) {
  EXPECT_TRUE(store_->Load()->keys.empty());
}

TEST_P(KeyStoreContract, TheLastRecordOfAKeyWins) {
  const Record records[] = {RecordOf("p", "f", 1), RecordOf("p", "f", 2)};
  ASSERT_TRUE(store_->Commit(records, kFence).ok());
  const Record later[] = {RecordOf("p", "f", 3)};
  ASSERT_TRUE(store_->Commit(later, kFence).ok());
  ASSERT_EQ(store_->Load()->keys.size(), 1u);
  EXPECT_EQ(store_->Load()->keys.at(0).state.uses, 3u);
}

TEST_P(KeyStoreContract, KeysAreOfTheirPool) {
  const Record records[] = {RecordOf("p", "f", 1), RecordOf("q", "f", 2), RecordOf("p", "g", 3)};
  ASSERT_TRUE(store_->Commit(records, kFence).ok());
  EXPECT_EQ(store_->Load()->keys.size(), 3u);
}

TEST_P(KeyStoreContract, GivesBackEveryField) {
  const Record records[] = {FullRecord()};
  ASSERT_TRUE(store_->Commit(records, kFence).ok());
  ExpectSame(store_->Load()->keys.at(0), records[0]);
}

TEST_P(KeyStoreContract, TheLastChangeOfANameWinsAndAnEmptyOneEndsIt) {
  const Record records[] = {ChangeRecord{"p", "switch", "f", "out"}, ChangeRecord{"p", "switch", "g", "out"},
                            ChangeRecord{"p", "key", "f", "one"},    ChangeRecord{"q", "switch", "f", "out"},
                            ChangeRecord{"p", "switch", "f", "in"},  RecordOf("p", "f", 1)};
  ASSERT_TRUE(store_->Commit(records, kFence).ok());
  const Record later[] = {ChangeRecord{"p", "switch", "g", ""}, ChangeRecord{"p", "switch", "unknown", ""}};
  ASSERT_TRUE(store_->Commit(later, kFence).ok());
  std::vector<std::string> changes;
  const auto loaded = store_->Load();
  for (const ChangeRecord& change : loaded->changes)
    changes.push_back(change.pool + " " + change.kind + " " + change.id + " " + change.content);
  std::sort(changes.begin(), changes.end());
  EXPECT_EQ(changes, (std::vector<std::string>{"p key f one", "p switch f in", "q switch f out"}));
  EXPECT_EQ(store_->Load()->keys.size(), 1u);
}

TEST_P(KeyStoreContract, KeepsMomentsWithoutEnd) {
  KeyRecord record = RecordOf("p", "f", 1);
  record.state.state = core::KeyState::kCooling;
  record.state.reason = "rate_limited";
  record.state.available_at = absl::InfiniteFuture();
  const Record records[] = {record};
  ASSERT_TRUE(store_->Commit(records, kFence).ok());
  ExpectSame(store_->Load()->keys.at(0), records[0]);
}

TEST_P(KeyStoreContract, CommitsOfAnEarlierOwnerAreRefused) {
  const absl::StatusOr<Fence> first = store_->Acquire();
  ASSERT_TRUE(first.ok()) << first.status();
  const Record records[] = {RecordOf("p", "f", 1)};
  ASSERT_TRUE(store_->Commit(records, *first).ok());
  const absl::StatusOr<Fence> second = store_->Acquire();
  ASSERT_GT(*second, *first);
  const Record later[] = {RecordOf("p", "f", 2), RecordOf("p", "g", 2)};
  EXPECT_EQ(store_->Commit(later, *first).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store_->Commit({}, *first).code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_EQ(store_->Load()->keys.size(), 1u);
  EXPECT_EQ(store_->Load()->keys.at(0).state.uses, 1u);
  EXPECT_TRUE(store_->Commit(later, *second).ok());
  EXPECT_EQ(store_->Load()->keys.size(), 2u);
}

INSTANTIATE_TEST_SUITE_P(Stores, KeyStoreContract,
                         testing::Values(Backend{"Memory",
                                                 [](const Folder&) { return std::make_unique<MemoryStore>(); }},
                                         Backend{"Sqlite",
                                                 [](const Folder& folder) -> std::unique_ptr<KeyStore> {
                                                   return *SqliteStore::Open(folder.File());
                                                 }}),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST(SqliteStoreTest, RemembersWithoutBeingClosed) {
  Folder folder;
  const auto crashed = SqliteStore::Open(folder.File());
  const Record records[] = {FullRecord()};
  ASSERT_TRUE((*crashed)->Commit(records, kFence).ok());
  const auto next = SqliteStore::Open(folder.File());
  ASSERT_TRUE(next.ok()) << next.status();
  ASSERT_EQ((*next)->Load()->keys.size(), 1u);
  ExpectSame((*next)->Load()->keys.at(0), records[0]);
}

TEST(SqliteStoreTest, IsReadableByItsOwnerOnly) {
  Folder folder;
  const auto store = SqliteStore::Open(folder.File());
  const Record records[] = {FullRecord()};
  ASSERT_TRUE((*store)->Commit(records, kFence).ok());
  for (const fs::directory_entry& entry : fs::directory_iterator(fs::path(folder.File()).parent_path())) {
    struct stat info = {};
    ASSERT_EQ(stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << entry.path();
  }
}

TEST(SqliteStoreTest, NamesADamagedFileAndWhatToDo) {
  Folder folder;
  std::ofstream(folder.File()) << "this is no database, and it is long enough to be looked at as one";
  const auto store = SqliteStore::Open(folder.File());
  ASSERT_EQ(store.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(store.status().ToString().find(folder.File()), std::string::npos);
  EXPECT_NE(store.status().ToString().find("restore a backup"), std::string::npos);
}

TEST(SqliteStoreTest, LeavesTheFileOfALaterVersionAlone) {
  Folder folder;
  ASSERT_TRUE(SqliteStore::Open(folder.File()).ok());
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(folder.File().c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, "PRAGMA user_version = 7", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(database);
  EXPECT_EQ(SqliteStore::Open(folder.File()).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(SqliteStoreTest, AMissingFolderIsNamed) {
  const auto store = SqliteStore::Open("/nonexistent/state.db");
  ASSERT_EQ(store.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(store.status().ToString().find("/nonexistent/state.db"), std::string::npos);
}

TEST(SqliteStoreTest, OwnersFollowEachOtherOverOpens) {
  Folder folder;
  const auto before = SqliteStore::Open(folder.File());
  const Fence old = *(*before)->Acquire();
  const auto after = SqliteStore::Open(folder.File());
  EXPECT_GT(*(*after)->Acquire(), old);
  EXPECT_EQ((*before)->Commit({}, old).code(), absl::StatusCode::kFailedPrecondition);
}

std::string Slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Every bit of one record is flipped in turn: it is left out and named, or the file is, and the others are as they
// were.
TEST(SqliteStoreTest, ADamagedRecordIsNamedAndLeftOut) {
  Folder folder;
  KeyRecord middle = FullRecord();
  middle.pool = "pool-m";
  middle.fingerprint = "0123456789abcdef";
  KeyRecord first = middle;
  first.pool = "pool-a";
  KeyRecord last = middle;
  last.pool = "pool-z";
  const Record records[] = {first, middle, last};
  ASSERT_TRUE((*SqliteStore::Open(folder.File()))->Commit(records, kFence).ok());
  const std::string whole = Slurp(folder.File());
  const size_t at = whole.find("pool-m0123456789abcdef");
  ASSERT_NE(at, std::string::npos);
  const size_t begin = at - 20;  // the record's header lies before its values
  const size_t end = at + 120;
  int left_out = 0;
  int refused = 0;
  for (size_t bit = begin * 8; bit < end * 8; ++bit) {
    SCOPED_TRACE(bit - begin * 8);
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    std::ofstream(folder.File(), std::ios::binary) << damaged;
    const auto store = SqliteStore::Open(folder.File());
    const absl::StatusOr<KeyStore::Loaded> loaded =
        store.ok() ? (*store)->Load() : absl::StatusOr<KeyStore::Loaded>(store.status());
    if (!loaded.ok()) {
      ++refused;
      EXPECT_NE(loaded.status().message().find(folder.File()), std::string::npos) << loaded.status();
      continue;
    }
    EXPECT_EQ(loaded->keys.size() + loaded->damaged.size(), 3u);
    left_out += !loaded->damaged.empty();
    for (const KeyRecord& key : loaded->keys) {
      const Record* wanted = std::find_if(std::begin(records), std::end(records), [&](const Record& record) {
        return std::get<KeyRecord>(record).pool == key.pool;
      });
      ASSERT_NE(wanted, std::end(records)) << key.pool;
      ExpectSame(key, *wanted);
    }
  }
  EXPECT_GT(left_out, 600) << refused << " times the whole file was refused";
}

// Bits of the file's header and of its schema are flipped: it serves as before, or says of what it is and what to do.
TEST(SqliteStoreTest, ADamagedSchemaIsNamedAndWhatToDo) {
  Folder folder;
  KeyRecord record = FullRecord();
  ASSERT_TRUE((*SqliteStore::Open(folder.File()))->Commit(std::vector<Record>{record}, kFence).ok());
  const std::string whole = Slurp(folder.File());
  const size_t text = whole.find("CREATE TABLE key_state");
  ASSERT_NE(text, std::string::npos);
  constexpr size_t kHeader = 100;
  constexpr size_t kSchema = 800;
  std::vector<size_t> bits;
  for (size_t bit = 0; bit < kHeader * 8; ++bit) bits.push_back(bit);
  for (size_t bit = text * 8; bit < (text + kSchema) * 8; bit += 7) bits.push_back(bit);
  int refused = 0;
  for (const size_t bit : bits) {
    SCOPED_TRACE(bit);
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    for (const char* log : {"-wal", "-shm"}) unlink((folder.File() + log).c_str());
    std::ofstream(folder.File(), std::ios::binary) << damaged;
    const auto store = SqliteStore::Open(folder.File());
    absl::Status status = store.status();
    if (status.ok()) status = (*store)->Acquire().status();
    if (status.ok()) status = (*store)->Load().status();
    if (status.ok()) status = (*store)->Commit(std::vector<Record>{record}, 1000);
    if (status.ok()) continue;
    ++refused;
    EXPECT_NE(status.message().find(folder.File()), std::string::npos) << status;
    EXPECT_NE(status.message().find("move"), std::string::npos) << status;
  }
  EXPECT_GT(refused, 100);
}

constexpr char kWithoutModels[] =
    "DROP TABLE change; ALTER TABLE key_state DROP COLUMN models; PRAGMA user_version = 4";
constexpr char kWithoutLimits[] =
    "ALTER TABLE key_state DROP COLUMN tpm_used; ALTER TABLE key_state DROP COLUMN rpd_used; "
    "ALTER TABLE key_state DROP COLUMN tpd_used; ALTER TABLE key_state DROP COLUMN learned_rate; "
    "ALTER TABLE key_state DROP COLUMN learned_depth; ALTER TABLE key_state DROP COLUMN learned_in_flight; "
    "PRAGMA user_version = 3";
constexpr char kWithoutErrors[] =
    "ALTER TABLE key_state DROP COLUMN last_error; ALTER TABLE key_state DROP COLUMN last_error_id; "
    "ALTER TABLE key_state DROP COLUMN last_error_at; PRAGMA user_version = 2";
constexpr char kWithoutChecksums[] =
    "ALTER TABLE key_state DROP COLUMN checksum; DROP TABLE owner; PRAGMA user_version = 1";

void Alter(const Folder& folder, std::initializer_list<const char*> changes) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(folder.File().c_str(), &database), SQLITE_OK);
  for (const char* change : changes) {
    ASSERT_EQ(sqlite3_exec(database, change, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
  }
  sqlite3_close(database);
}

KeyRecord RecordWithoutError() {
  KeyRecord record = FullRecord();
  record.error = {};
  record.state.used = {.rpm = record.state.used.rpm};
  record.state.learned = {};
  record.state.holds = {};
  record.state.paces = {};
  return record;
}

TEST(SqliteStoreTest, TakesOverAFileWithoutModels) {
  Folder folder;
  KeyRecord record = FullRecord();
  record.state.holds = {};
  record.state.paces = {};
  const Record records[] = {record};
  ASSERT_TRUE((*SqliteStore::Open(folder.File()))->Commit(records, kFence).ok());
  const std::string values = absl::StrCat(
      "t14:pool, \"quoted\"t3:f'1t8:disabledt4:authi1800000000123456789;i2;i7;i41;i30;i11;i123456789012;i5;",
      "i1700000000001000000;i1700000000002000000;ni1234000;t23:HTTP 401: No such 'key't5:req-1i1700000000003000000;",
      "i80000;i900;i1000000000000;i966667;i60500000;i4;");
  int64_t sum = 0;
  std::memcpy(&sum, Sha256(values).data(), sizeof sum);
  Alter(folder, {kWithoutModels, absl::StrCat("UPDATE key_state SET checksum = ", sum).c_str()});
  for (int open = 0; open < 2; ++open) {
    const auto store = SqliteStore::Open(folder.File());
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_EQ((*store)->Load()->keys.size(), 1u);
    ExpectSame((*store)->Load()->keys.at(0), records[0]);
  }
}

TEST(ModelTextTest, BoundsWhatClientsName) {
  core::KeySnapshot key;
  key.holds.push_back({std::string(kMaxStoredModelName + 1, 'x'), absl::UnixEpoch(), "rate_limited"});
  for (size_t i = 0; i <= kMaxStoredModels; ++i) key.holds.push_back({"m", absl::UnixEpoch(), "rate_limited"});
  core::KeySnapshot read;
  ASSERT_TRUE(ReadModels(ModelText(key), &read));
  EXPECT_EQ(read.holds.size(), kMaxStoredModels);
  EXPECT_EQ(read.holds.front().model, "m");
}

TEST(ModelTextTest, WhatIsNoneIsRefused) {
  const std::string good = "h 1700000000000000000 rate_limited 1:mp 1 2 3 2:ab";
  core::KeySnapshot read;
  EXPECT_TRUE(ReadModels(good, &read));
  EXPECT_EQ(read.paces.at(0).model, "ab");
  for (size_t size = 1; size < good.size(); ++size) {
    if (size == good.find("mp") + 1) continue;
    EXPECT_FALSE(ReadModels(good.substr(0, size), &read)) << size;
  }
  for (const char* bad : {"x", "h", "h a b 1:m", "h 1 b 0:", "h 1 b -1:m", "h 1 b 99999999999999999999:m", "p 1 2 3"}) {
    EXPECT_FALSE(ReadModels(bad, &read)) << bad;
  }
}

TEST(SqliteStoreTest, TakesOverAFileWithoutChecksums) {
  Folder folder;
  const Record records[] = {RecordWithoutError()};
  ASSERT_TRUE((*SqliteStore::Open(folder.File()))->Commit(records, kFence).ok());
  Alter(folder, {kWithoutModels, kWithoutLimits, kWithoutErrors, kWithoutChecksums});
  const auto store = SqliteStore::Open(folder.File());
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_EQ((*store)->Load()->keys.size(), 1u);
  ExpectSame((*store)->Load()->keys.at(0), records[0]);
  EXPECT_EQ(*(*store)->Acquire(), 1u);
}

// The checksums of that format, made here: those of today cover the errors as well.
TEST(SqliteStoreTest, TakesOverAFileWithoutErrorsButNoDamagedRowOfIt) {
  Folder folder;
  const Record records[] = {RecordWithoutError()};
  ASSERT_TRUE((*SqliteStore::Open(folder.File()))->Commit(records, kFence).ok());
  const std::string values = absl::StrCat(
      "t14:pool, \"quoted\"t3:f'1t8:disabledt4:authi1800000000123456789;i2;i7;i41;i30;i11;i123456789012;i5;",
      "i1700000000001000000;i1700000000002000000;ni1234000;");
  int64_t sum = 0;
  std::memcpy(&sum, Sha256(values).data(), sizeof sum);
  Alter(folder,
        {kWithoutModels, kWithoutLimits, kWithoutErrors, absl::StrCat("UPDATE key_state SET checksum = ", sum).c_str(),
         "INSERT INTO key_state SELECT pool, 'other', state, reason, available_at, consecutive_failures, "
         "rpm_used, uses, successes, failures, input_tokens, output_tokens, last_used, last_failure, "
         "last_success, latency_ns, checksum FROM key_state"});
  const auto store = SqliteStore::Open(folder.File());
  ASSERT_TRUE(store.ok()) << store.status();
  const absl::StatusOr<KeyStore::Loaded> loaded = (*store)->Load();
  ASSERT_EQ(loaded->keys.size(), 1u);
  ExpectSame(loaded->keys.at(0), records[0]);
  EXPECT_EQ(loaded->damaged.size(), 1u);
}

// One record is refused: nothing of the others is there either.
TEST(SqliteStoreTest, ACommitIsOneTransaction) {
  Folder folder;
  const auto store = SqliteStore::Open(folder.File());
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(folder.File().c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other,
                         "CREATE TRIGGER refuse BEFORE INSERT ON key_state WHEN NEW.fingerprint = 'bad' "
                         "BEGIN SELECT RAISE(FAIL, 'refused'); END",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(other);
  const Record records[] = {RecordOf("p", "good", 1), RecordOf("p", "bad", 1)};
  const absl::Status refused = (*store)->Commit(records, kFence);
  EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss) << "triggers are not ours: " << refused;
  EXPECT_TRUE((*store)->Load()->keys.empty());
  const Record good[] = {RecordOf("p", "good", 1)};
  EXPECT_TRUE((*store)->Commit(good, kFence).ok());
  EXPECT_EQ((*store)->Load()->keys.size(), 1u);
}

}  // namespace
}  // namespace ccr

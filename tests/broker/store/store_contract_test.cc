// What every key store must do, and what only a durable one can.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>

#include "broker/adapters/store/memory_store.h"
#include "broker/adapters/store/sqlite_store.h"

namespace ccr {
namespace {

namespace fs = std::filesystem;

KeyRecord Record(const std::string& pool, const std::string& fingerprint, uint64_t uses) {
  core::KeySnapshot state;
  state.available_at = state.last_used = state.last_failure = state.last_success = absl::InfinitePast();
  state.uses = uses;
  return {pool, fingerprint, state};
}

KeyRecord FullRecord() {
  KeyRecord record = Record("pool, \"quoted\"", "f'1", 41);
  core::KeySnapshot& key = record.state;
  key.state = core::KeyState::kDisabled;
  key.reason = "auth";
  key.available_at = absl::FromUnixNanos(1'800'000'000'123'456'789);
  key.consecutive_failures = 2;
  key.rpm_used = 7;
  key.successes = 30;
  key.failures = 11;
  key.input_tokens = 123'456'789'012;
  key.output_tokens = 5;
  key.last_used = absl::FromUnixMillis(1'700'000'000'001);
  key.last_failure = absl::FromUnixMillis(1'700'000'000'002);
  key.latency = absl::Microseconds(1234);
  return record;
}

void ExpectSame(const KeyRecord& got, const KeyRecord& wanted) {
  EXPECT_EQ(got.pool, wanted.pool);
  EXPECT_EQ(got.fingerprint, wanted.fingerprint);
  EXPECT_EQ(got.state.state, wanted.state.state);
  EXPECT_EQ(got.state.reason, wanted.state.reason);
  EXPECT_EQ(got.state.available_at, wanted.state.available_at);
  EXPECT_EQ(got.state.consecutive_failures, wanted.state.consecutive_failures);
  EXPECT_EQ(got.state.rpm_used, wanted.state.rpm_used);
  EXPECT_EQ(got.state.uses, wanted.state.uses);
  EXPECT_EQ(got.state.successes, wanted.state.successes);
  EXPECT_EQ(got.state.failures, wanted.state.failures);
  EXPECT_EQ(got.state.input_tokens, wanted.state.input_tokens);
  EXPECT_EQ(got.state.output_tokens, wanted.state.output_tokens);
  EXPECT_EQ(got.state.last_used, wanted.state.last_used);
  EXPECT_EQ(got.state.last_failure, wanted.state.last_failure);
  EXPECT_EQ(got.state.last_success, wanted.state.last_success);
  EXPECT_EQ(got.state.latency, wanted.state.latency);
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
  EXPECT_TRUE(store_->Load()->empty());
}

TEST_P(KeyStoreContract, TheLastRecordOfAKeyWins) {
  const KeyRecord records[] = {Record("p", "f", 1), Record("p", "f", 2)};
  ASSERT_TRUE(store_->Append(records).ok());
  const KeyRecord later[] = {Record("p", "f", 3)};
  ASSERT_TRUE(store_->Append(later).ok());
  ASSERT_EQ(store_->Load()->size(), 1u);
  EXPECT_EQ(store_->Load()->at(0).state.uses, 3u);
}

TEST_P(KeyStoreContract, KeysAreOfTheirPool) {
  const KeyRecord records[] = {Record("p", "f", 1), Record("q", "f", 2), Record("p", "g", 3)};
  ASSERT_TRUE(store_->Append(records).ok());
  EXPECT_EQ(store_->Load()->size(), 3u);
}

TEST_P(KeyStoreContract, GivesBackEveryField) {
  const KeyRecord records[] = {FullRecord()};
  ASSERT_TRUE(store_->Append(records).ok());
  ExpectSame(store_->Load()->at(0), records[0]);
}

TEST_P(KeyStoreContract, KeepsMomentsWithoutEnd) {
  KeyRecord records[] = {Record("p", "f", 1)};
  records[0].state.state = core::KeyState::kCooling;
  records[0].state.reason = "rate_limited";
  records[0].state.available_at = absl::InfiniteFuture();
  ASSERT_TRUE(store_->Append(records).ok());
  ExpectSame(store_->Load()->at(0), records[0]);
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
  const KeyRecord records[] = {FullRecord()};
  ASSERT_TRUE((*crashed)->Append(records).ok());
  const auto next = SqliteStore::Open(folder.File());
  ASSERT_TRUE(next.ok()) << next.status();
  ASSERT_EQ((*next)->Load()->size(), 1u);
  ExpectSame((*next)->Load()->at(0), records[0]);
}

TEST(SqliteStoreTest, IsReadableByItsOwnerOnly) {
  Folder folder;
  const auto store = SqliteStore::Open(folder.File());
  const KeyRecord records[] = {FullRecord()};
  ASSERT_TRUE((*store)->Append(records).ok());
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
  ASSERT_EQ(sqlite3_exec(database, "PRAGMA user_version = 2", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(database);
  EXPECT_EQ(SqliteStore::Open(folder.File()).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(SqliteStoreTest, AMissingFolderIsNamed) {
  const auto store = SqliteStore::Open("/nonexistent/state.db");
  ASSERT_EQ(store.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(store.status().ToString().find("/nonexistent/state.db"), std::string::npos);
}

// One record is refused: nothing of the others is there either.
TEST(SqliteStoreTest, AnAppendIsOneTransaction) {
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
  const KeyRecord records[] = {Record("p", "good", 1), Record("p", "bad", 1)};
  const absl::Status refused = (*store)->Append(records);
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable) << refused;
  EXPECT_TRUE((*store)->Load()->empty());
  const KeyRecord good[] = {Record("p", "good", 1)};
  EXPECT_TRUE((*store)->Append(good).ok());
  EXPECT_EQ((*store)->Load()->size(), 1u);
}

}  // namespace
}  // namespace ccr

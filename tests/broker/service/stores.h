// Stores that do as a test says.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "broker/adapters/store/memory_store.h"
#include "broker/base/mutex.h"

namespace ccr {

inline std::vector<KeyRecord> KeysIn(KeyStore& store) {
  return std::move(store.Load()->keys);
}

// Remembers, unless `on_commit` refuses. That is called before each commit takes effect and may take its time.
class ScriptedStore final : public KeyStore {
 public:
  using OnCommit = std::function<absl::Status(absl::Span<const Record>)>;

  explicit ScriptedStore(OnCommit on_commit = nullptr) : on_commit_(std::move(on_commit)) {}

  absl::StatusOr<Fence> Acquire() override { return memory_.Acquire(); }
  absl::StatusOr<Loaded> Load() override { return memory_.Load(); }
  absl::Status Commit(absl::Span<const Record> batch, Fence fence) override {
    const absl::Status allowed = on_commit_ == nullptr ? absl::OkStatus() : on_commit_(batch);
    {
      MutexLock lock(mutex_);
      sizes_.push_back(batch.size());
    }
    return allowed.ok() ? memory_.Commit(batch, fence) : allowed;
  }
  // The number of records in each commit that was tried.
  std::vector<size_t> sizes() {
    MutexLock lock(mutex_);
    return sizes_;
  }

 private:
  const OnCommit on_commit_;
  MemoryStore memory_;
  Mutex mutex_;
  std::vector<size_t> sizes_ CCR_GUARDED_BY(mutex_);
};

// Holds every commit until it is opened.
class Gate {
 public:
  absl::Status Pass() {
    MutexLock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    while (!open_) changed_.wait(mutex_);
    return absl::OkStatus();
  }
  void AwaitArrival() {
    MutexLock lock(mutex_);
    while (arrived_ == 0) changed_.wait(mutex_);
  }
  void Open() {
    MutexLock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int arrived_ CCR_GUARDED_BY(mutex_) = 0;
  bool open_ CCR_GUARDED_BY(mutex_) = false;
};

}  // namespace ccr

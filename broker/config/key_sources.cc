#include "broker/config/key_sources.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/base/log.h"

namespace ccr {
namespace {

constexpr size_t kReadersAtOnce = 8;
constexpr absl::Duration kFileInterval = absl::Milliseconds(500);
constexpr double kLookShare = 0.05;  // of a thread's time, where very many files are looked at
constexpr absl::Duration kFirstRetry = absl::Seconds(2);
constexpr absl::Duration kLastRetry = absl::Minutes(1);

absl::Duration RetryAfter(int failures) {
  return std::min(kFirstRetry * (1 << std::min(failures - 1, 10)), kLastRetry);
}

// Whether the message holds one of the keys in `text`.
bool Shows(absl::string_view message, std::string_view text) {
  const absl::StatusOr<KeyLines> lines = SplitKeys(text);
  return lines.ok() && std::any_of(lines->keys.begin(), lines->keys.end(), [message](std::string_view key) {
           return ToStd(message).find(key) != std::string_view::npos;
         });
}

bool IsOutOfReach(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

}  // namespace

KeySources::KeySources(const Clock* clock, std::map<Kind, SecretReader*> readers, bool strict)
    : clock_(clock), readers_(std::move(readers)), strict_(strict) {}

KeySources::~KeySources() {
  Stop();
}

void KeySources::Prepare(const std::vector<SecretSource>& sources) {
  std::vector<EntryPtr> unread;
  {
    MutexLock lock(mutex_);
    for (const SecretSource& source : sources) {
      const EntryPtr entry = EntryOf(source);
      if (entry->expired) unread.push_back(entry);
    }
  }
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < unread.size(); i = next++) Read(unread[i]);
  };
  std::vector<std::thread> helpers;
  for (size_t i = 1; i < std::min(kReadersAtOnce, unread.size()); ++i) helpers.emplace_back(work);
  work();
  for (std::thread& helper : helpers) helper.join();
}

KeySources::EntryPtr KeySources::EntryOf(const SecretSource& source) {
  EntryPtr& entry = entries_[source.Id()];
  if (entry == nullptr) entry = std::make_shared<Entry>(source);
  return entry;
}

SecretAnswer KeySources::Resolve(const SecretSource& source) {
  EntryPtr entry;
  bool expired = false;
  {
    MutexLock lock(mutex_);
    entry = EntryOf(source);
    expired = entry->expired;
  }
  if (expired) Read(entry);
  MutexLock lock(mutex_);
  SecretAnswer answer;
  answer.problem = std::string(entry->status.message());
  if (entry->good) {
    answer.text = entry->good->Clone();
    entry->resolved = entry->version;
    answer.state = entry->status.ok() ? SecretAnswer::State::kRead : SecretAnswer::State::kKept;
    if (entry->status.ok()) answer.warnings = entry->warnings;
    return answer;
  }
  const bool later = !strict_ && (entry->followed || (!in_use_ && IsOutOfReach(entry->status)));
  answer.state = later ? SecretAnswer::State::kLater : SecretAnswer::State::kFailed;
  return answer;
}

void KeySources::Expire() {
  MutexLock lock(mutex_);
  for (const auto& [id, entry] : entries_) entry->expired = true;
}

void KeySources::Follow(const std::vector<SecretSource>& sources) {
  {
    MutexLock lock(mutex_);
    in_use_ = true;
    std::unordered_map<std::string, EntryPtr> used;
    for (const SecretSource& source : sources) {
      const EntryPtr entry = EntryOf(source);
      entry->followed = true;
      entry->in_effect = entry->resolved;
      used[source.Id()] = entry;
    }
    entries_.swap(used);
  }
  wake_.notify_all();
}

void KeySources::Start(std::function<void()> changed) {
  tell_changed_ = std::move(changed);
  for (const auto& [kind, reader] : readers_) threads_.emplace_back([this, kind = kind] { Run(kind); });
}

void KeySources::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  for (const auto& [kind, reader] : readers_) reader->Stop();
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

absl::Time KeySources::Look(Kind kind) {
  std::vector<EntryPtr> all;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, entry] : entries_) {
      if (entry->followed && entry->source.kind == kind) all.push_back(entry);
    }
  }
  const absl::Time began = clock_->Now();
  absl::Duration reading;
  for (const EntryPtr& entry : all) {
    const std::string stamp = ReaderOf(*entry).Stamp(entry->source);
    {
      MutexLock lock(mutex_);
      if (stopping_) return absl::InfiniteFuture();
      if (!IsDue(entry.get(), stamp, clock_->Now())) continue;
    }
    const absl::Time before = clock_->Now();
    Read(entry);
    reading += clock_->Now() - before;
  }
  const absl::Duration looking = clock_->Now() - began - reading;
  absl::Time next = absl::InfiniteFuture();
  bool changed = false;
  {
    MutexLock lock(mutex_);
    for (const EntryPtr& entry : all) {
      next = std::min(next, entry->due);
      changed |= entry->version != entry->in_effect && entry->version != entry->told;
      entry->told = entry->version;
    }
  }
  if (kind == Kind::kFile && !all.empty()) {
    next = std::min(next, clock_->Now() + std::max(kFileInterval, looking / kLookShare));
  }
  if (changed && tell_changed_ != nullptr) tell_changed_();
  return next;
}

bool KeySources::IsDue(Entry* entry, const std::string& stamp, absl::Time now) {
  const bool settled = stamp == std::exchange(entry->seen, stamp);
  return now >= entry->due || (settled && stamp != entry->stamp);
}

void KeySources::Read(const EntryPtr& entry) {
  std::string stamp = ReaderOf(*entry).Stamp(entry->source);
  absl::StatusOr<SecretReading> reading = ReaderOf(*entry).Read(entry->source);
  MutexLock lock(mutex_);
  Take(entry.get(), std::move(stamp), std::move(reading));
}

void KeySources::Take(Entry* entry, std::string stamp, absl::StatusOr<SecretReading> reading) {
  entry->expired = false;
  entry->seen = stamp;
  entry->stamp = std::move(stamp);
  absl::Status status = reading.status();
  if (status.ok()) status = SplitKeys(reading->text.Reveal()).status();
  if (!status.ok()) return TakeFailure(entry, std::move(status));
  if (entry->followed && !entry->status.ok()) {
    Log(LogLevel::kInfo, "key_source_recovered", {{"source", entry->source.Name()}});
  }
  const bool same = entry->good && entry->good->Reveal() == reading->text.Reveal();
  if (entry->followed && !same) Log(LogLevel::kInfo, "key_source_changed", {{"source", entry->source.Name()}});
  entry->status = absl::OkStatus();
  entry->failures = 0;
  entry->warnings = std::move(reading->warnings);
  entry->due = clock_->Now() + reading->valid_for;
  if (same) return;
  entry->good = std::move(reading->text);
  ++entry->version;
}

void KeySources::TakeFailure(Entry* entry, absl::Status status) {
  ++entry->failures;
  entry->due = clock_->Now() + RetryAfter(entry->failures);
  if (entry->failures == 1) entry->failing_since = clock_->Now();
  if (entry->good && Shows(status.message(), entry->good->Reveal())) {
    status = absl::Status(status.code(), "fails, and what it says of that holds a key");
  }
  const bool told = entry->status.code() == status.code();  // words may hold a time
  entry->status = std::move(status);
  if (told || stopping_ || !entry->followed) return;
  Log(LogLevel::kWarn, "key_source_failed",
      {{"source", entry->source.Name()},
       {"error", std::string(entry->status.message())},
       {"effect", entry->good ? "the keys it gave last stay" : "it has given no key yet"}});
}

void KeySources::Run(Kind kind) {
  for (;;) {
    const absl::Time next = Look(kind);
    MutexLock lock(mutex_);
    if (stopping_) return;
    const absl::Duration wait = std::min(std::max(next - clock_->Now(), absl::ZeroDuration()), absl::Hours(1));
    wake_.wait_for(mutex_, absl::ToChronoMilliseconds(wait) + std::chrono::milliseconds(1));
    if (stopping_) return;
  }
}

bool KeySources::HasNews() const {
  MutexLock lock(mutex_);
  return std::any_of(entries_.begin(), entries_.end(), [](const auto& entry) {
    return entry.second->followed && entry.second->version != entry.second->in_effect;
  });
}

std::vector<KeySources::Problem> KeySources::Problems() const {
  std::vector<Problem> problems;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, entry] : entries_) {
      if (!entry->followed || entry->status.ok()) continue;
      const std::string name = entry->source.Name();
      problems.push_back(
          {name, absl::StrCat(name, " ", entry->status.message()), entry->failing_since, entry->good.has_value()});
    }
  }
  std::sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) { return a.source < b.source; });
  return problems;
}

}  // namespace ccr

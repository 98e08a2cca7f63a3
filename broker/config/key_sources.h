// Keys that are kept outside of the configuration, as they are now or were last.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "broker/base/clock.h"
#include "broker/base/mutex.h"
#include "broker/config/secret_source.h"

namespace ccr {

// Remembers what each source gave last, reads it again when it is due, and tells when it gives something else. A source
// that fails, or gives no keys, keeps what it gave last and is tried again after 2 s x 2^n, cap 1 min. Files are due when
// they have changed and then held still, others when what they gave is no longer valid.
//
// Invariant: what an entry holds passes SplitKeys. Thread-safe; readers are called without a lock, those of one kind by
// one thread, and by more in Prepare().
class KeySources final : public SecretResolver {
 public:
  using Kind = SecretSource::Kind;

  struct Problem {
    std::string source;  // its name
    std::string error;   // a sentence
    absl::Time since;
    bool has_keys = false;  // those it gave last are used
  };

  // `readers`, for each kind one that is not null, and `clock` must outlive it. With `strict` each source that has given
  // nothing is a mistake.
  KeySources(const Clock* clock, std::map<Kind, SecretReader*> readers, bool strict = false);
  ~KeySources() override;
  KeySources(const KeySources&) = delete;
  KeySources& operator=(const KeySources&) = delete;

  // Reads those that are not known or have expired, eight at once.
  void Prepare(const std::vector<SecretSource>& sources) override;
  // A source that fails and has given nothing is a mistake, unless, where not `strict`, it is in use already, or nothing is in use yet and it
  // is only out of reach.
  SecretAnswer Resolve(const SecretSource& source) override;

  // Everything known is to be read again by the next Prepare().
  void Expire();
  // These are in use from now on; others are forgotten.
  void Follow(const std::vector<SecretSource>& sources);
  // From now on sources in use are looked after, on a thread for each kind; `changed` is called there when one gives
  // something else.
  void Start(std::function<void()> changed);
  // Ends that, and reads under way.
  void Stop();

  // One look at all of `kind` that are in use; when the next one is due. As the threads do it.
  absl::Time Look(Kind kind);

  // Whether one in use gives something else than when Follow() was called.
  bool HasNews() const;

  // Sources in use that fail, by name.
  std::vector<Problem> Problems() const;

 private:
  struct Entry {
    explicit Entry(SecretSource s) : source(std::move(s)) {}
    const SecretSource source;
    bool followed = false;
    bool expired = true;
    absl::Status status;         // of the latest reading
    std::optional<Secret> good;  // what it gave last
    std::vector<std::string> warnings;
    // Of `good`, counted up by each that is new: what it is, was when it was asked for, at Follow(), and when told.
    int version = 0, resolved = 0, in_effect = 0, told = 0;
    absl::Time failing_since;
    int failures = 0;  // in a row
    absl::Time due;
    std::string stamp, seen;  // when it was read, and at the latest look
  };
  using EntryPtr = std::shared_ptr<Entry>;

  SecretReader& ReaderOf(const Entry& entry) const { return *readers_.at(entry.source.kind); }
  void Read(const EntryPtr& entry);
  void Take(Entry* entry, std::string stamp, absl::StatusOr<SecretReading> reading) CCR_REQUIRES(mutex_);
  void TakeFailure(Entry* entry, absl::Status status) CCR_REQUIRES(mutex_);
  EntryPtr EntryOf(const SecretSource& source) CCR_REQUIRES(mutex_);
  bool IsDue(Entry* entry, const std::string& stamp, absl::Time now) CCR_REQUIRES(mutex_);
  void Run(Kind kind);

  const Clock* const clock_;
  const std::map<Kind, SecretReader*> readers_;
  const bool strict_;
  mutable Mutex mutex_;
  std::unordered_map<std::string, EntryPtr> entries_ CCR_GUARDED_BY(mutex_);  // by the source's id
  bool in_use_ CCR_GUARDED_BY(mutex_) = false;                                // whether anything was followed
  bool stopping_ CCR_GUARDED_BY(mutex_) = false;
  CondVar wake_;
  std::function<void()> tell_changed_;  // set before the threads
  std::vector<std::thread> threads_;
};

}  // namespace ccr

// What people have changed while the broker ran, laid over its configuration.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/base/sealer.h"
#include "broker/base/secret.h"
#include "broker/config/config.h"
#include "broker/core/pool_spec.h"
#include "broker/ports/key_store.h"

namespace ccr {

// What may be changed of a pool. What is unset stays as the configuration has it.
struct PoolChange {
  std::optional<std::string> strategy;
  std::optional<bool> session_affinity;
  std::optional<uint32_t> max_concurrent;
  std::optional<uint64_t> rpm, tpm, rpd, tpd;
  std::optional<absl::Duration> max_wait;
  std::optional<uint32_t> max_waiting;

  void ApplyTo(ProviderConfig* provider) const;
  void ApplyTo(core::PoolSpec* spec) const;
  void Add(const PoolChange& later);  // what is set in `later` wins
};

// The changes of all pools. Each stands over the entry of the file that it was made for, until the file changes that
// entry: so it remembers a digest of it. Not thread-safe.
class Overlay {
 public:
  // One that the store remembers, or that is made now. What cannot be read is an error and changes nothing.
  absl::Status Take(const ChangeRecord& record);

  // Lays the changes of this provider over what the file says, whose keys have names: takes keys away, adds others and
  // changes settings. What the file has overtaken is forgotten, and keys that an older master key sealed are sealed anew:
  // the records that say so are appended to `records`. A key that cannot be opened is left out and named in `problems`.
  // `sealer` may be an error, and is asked where there are such keys; `held` knows those that are in use, which stay so
  // when they cannot be opened any more.
  using GetSealer = absl::FunctionRef<absl::StatusOr<std::shared_ptr<const Sealer>>()>;
  using Held = absl::FunctionRef<std::optional<Secret>(const std::string& fingerprint)>;
  void LayOver(ProviderConfig* provider, const Fingerprinter& fingerprinter, GetSealer sealer, Held held,
               std::vector<ChangeRecord>* records, std::vector<std::string>* problems);
  // Which keys of the pool are out, as far as people have said so while the broker ran.
  void SetOut(std::string_view pool, absl::Time now, std::vector<core::KeySpec>* keys) const;

  // Records of changes; Take them too.
  ChangeRecord Switch(std::string_view pool, const core::KeySpec& key, bool enabled, absl::Time until) const;
  static SealContext ContextOf(std::string_view pool, const std::string& key);
  static ChangeRecord Added(std::string_view pool, const std::string& key, const KeyConfig& config,
                            const std::string& sealed);
  ChangeRecord Gone(std::string_view pool, const core::KeySpec& key) const;
  ChangeRecord Settings(std::string_view pool, const PoolChange& change) const;  // over what was changed before
  // The change of that kind is taken back.
  static ChangeRecord Nothing(std::string_view pool, std::string_view kind, std::string_view id);

  bool FileHasOut(std::string_view pool, const core::KeySpec& key) const;  // its entry says enabled: false
  bool HasAdded() const;                                                   // any key of any pool
  bool IsAdded(std::string_view pool, const std::string& key) const;
  bool IsGone(std::string_view pool, const std::string& key) const;

  static constexpr std::string_view kSwitch = "switch", kKey = "key", kGone = "gone", kPool = "pool";

 private:
  struct SwitchOf {
    std::string of;
    bool enabled = true;
    absl::Time until = absl::InfinitePast();  // when not enabled
    bool file_has_out = false;
  };
  struct Changes {
    std::map<std::string, SwitchOf> switches;  // these by fingerprint
    std::map<std::string, std::string> added;  // content
    std::map<std::string, std::string> gone;   // digest of the entry
    std::optional<PoolChange> settings;
    std::string settings_of;
    std::string settings_digest;  // of what the file has
  };
  const Changes* Find(std::string_view pool) const;
  std::string DigestOf(std::string_view pool, const core::KeySpec& key) const;

  std::map<std::string, Changes, std::less<>> pools_;
};

}  // namespace ccr

// Where secrets are kept outside of the configuration, and who gets them from there.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "broker/base/secret.h"

namespace ccr {

struct VaultConfig;

// One place that a configuration names. Only the members of its kind mean something.
struct SecretSource {
  enum class Kind { kFile, kExec, kVault };

  Kind kind = Kind::kFile;
  std::string path;                          // kFile: as it is opened
  std::vector<std::string> argv;             // kExec: the program and its arguments; at least one
  std::vector<std::string> environment;      // kExec: "NAME=VALUE"
  std::string folder;                        // kExec: where it runs
  absl::Duration ttl;                        // kExec: how long what it printed is good; > 0
  std::string vault_path, vault_field;       // kVault: "kv/data/openai", "key"
  std::shared_ptr<const VaultConfig> vault;  // kVault: the server; never null

  // What it is called in messages, which continue it: "key file PATH", "exec PROGRAM", "vault PATH#FIELD".
  std::string Name() const;
  // Equal for sources that are read in the same way, and for no others. May hold secrets of the environment.
  std::string Id() const;
};

// The keys in the text of a source: one a line, without the space around it; empty lines and those that begin with "#"
// are passed over, a key that was there already is counted in `duplicates`.
struct KeyLines {
  std::vector<std::string_view> keys;  // at least one, into the text
  size_t duplicates = 0;
};

inline constexpr size_t kMaxProviderKeys = 100'000;  // of a provider, and of a source
inline constexpr size_t kMaxKeyBytes = 8192;
inline constexpr size_t kMaxSourceBytes = 16 << 20;

// What is wrong with the characters of a key, and what to do; empty when nothing is.
std::string KeyProblem(std::string_view key);
// InvalidArgument when a line is no key, or none is there; never shows one. `text` must outlive the result.
absl::StatusOr<KeyLines> SplitKeys(std::string_view text);

// What a resolver knows of a source.
struct SecretAnswer {
  enum class State {
    kRead,      // `text` is what the source says
    kKept,      // the source fails, `text` is what it said last
    kLater,     // the source fails and has said nothing yet: go on without
    kFailed,    // the source fails: the configuration is wrong
    kNotAsked,  // whoever reads the configuration needs no keys
  };
  State state = State::kNotAsked;
  std::optional<Secret> text;         // kRead, kKept: passes SplitKeys
  std::string problem;                // kKept, kLater, kFailed: continues the source's name
  std::vector<std::string> warnings;  // kRead: sentences
};

// Port: gets secrets for whoever reads a configuration. Thread-safe.
class SecretResolver {
 public:
  virtual ~SecretResolver() = default;
  // All that the reader is about to ask for: one that must fetch them does it now, together.
  virtual void Prepare(const std::vector<SecretSource>& /*sources*/) {}
  virtual SecretAnswer Resolve(const SecretSource& source) = 0;
};

struct SecretReading {
  Secret text;
  absl::Duration valid_for = absl::InfiniteDuration();  // then it must be read again
  std::vector<std::string> warnings;                    // sentences
};

// Port: reads one kind of source. Thread-safe.
class SecretReader {
 public:
  virtual ~SecretReader() = default;
  // Blocks, bounded by the kind's own limits. The message continues the source's name. Unavailable and DeadlineExceeded:
  // it may go well later, without a change of the configuration; Cancelled: after Stop().
  virtual absl::StatusOr<SecretReading> Read(const SecretSource& source) = 0;
  // Changes when what Read() gives may have; empty where only reading tells. Cheap.
  virtual std::string Stamp(const SecretSource& /*source*/) const { return ""; }
  // Ends reads under way and refuses later ones.
  virtual void Stop() {}
};

// Key files.
class FileReader final : public SecretReader {
 public:
  absl::StatusOr<SecretReading> Read(const SecretSource& source) override;
  std::string Stamp(const SecretSource& source) const override;
};

// For who needs the configuration but no provider's keys: reads files and asks no other source.
class FilesOnly final : public SecretResolver {
 public:
  SecretAnswer Resolve(const SecretSource& source) override;
};

}  // namespace ccr

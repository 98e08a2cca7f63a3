// A value that must not be seen: provider keys and client tokens.
#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

namespace ccr {

// Owns the characters of a secret, in memory made for it (secret_memory.h), and wipes them when it ends; what it was
// moved from keeps none. It cannot be printed, streamed or formatted; the one way to the characters is Reveal(), which
// is easy to find in a review. Copying is explicit: Clone(). Thread-compatible.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view text);
  explicit Secret(const char* text) : Secret(std::string_view(text)) {}
  explicit Secret(const std::string& text) : Secret(std::string_view(text)) {}
  explicit Secret(std::string&& text);  // wipes `text`
  // Of `size` characters, which `fill` writes where they stay.
  static Secret Filled(size_t size, absl::FunctionRef<void(char*)> fill);
  ~Secret() { Wipe(); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept { swap(other); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      Wipe();
      swap(other);
    }
    return *this;
  }

  Secret Clone() const { return Secret(Reveal()); }
  std::string_view Reveal() const { return {data_, size_}; }
  bool empty() const { return size_ == 0; }

  void swap(Secret& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

 private:
  void Wipe();

  char* data_ = nullptr;
  size_t size_ = 0;
};

// Overwrites all that `text` holds, its spare capacity too, and empties it.
void WipeText(std::string* text);

std::ostream& operator<<(std::ostream&, const Secret&) = delete;

// Names keys without showing them: a hash under a secret salt, so that nobody can test guesses against a log.
// 16 hexadecimal digits. Thread-safe.
class Fingerprinter {
 public:
  // `salt` is 32 bytes.
  explicit Fingerprinter(Secret salt);
  // BLAKE2b (RFC 7693), keyed with the salt.
  std::string Of(const Secret& secret) const;

  // Reads the salt from `path`, or makes one there (mode 0600) when the file is missing. DataLoss when it is damaged.
  static absl::StatusOr<Secret> LoadOrCreateSalt(const std::string& path);

 private:
  Secret salt_;
};

// SHA-256 (FIPS 180-4), 32 bytes.
std::string Sha256(std::string_view data);

// `bytes` unguessable bytes from the operating system.
std::string RandomBytes(size_t bytes);

}  // namespace ccr

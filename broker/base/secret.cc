#include "broker/base/secret.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "broker/base/secret_memory.h"

namespace ccr {
namespace {

constexpr size_t kSaltBytes = 32;
constexpr size_t kFingerprintBytes = 8;

void InitSodium() {
  static const bool ready = sodium_init() >= 0;
  if (!ready) throw std::runtime_error("libsodium could not be initialised");
}

std::string Hex(const unsigned char* bytes, size_t size) {
  std::string hex(size * 2 + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), bytes, size);
  hex.pop_back();
  return hex;
}

}  // namespace

Secret::Secret(std::string_view text) : size_(text.size()) {
  if (text.empty()) return;
  data_ = AllocateSecret(size_);
  std::memcpy(data_, text.data(), size_);
}

Secret::Secret(std::string&& text) : Secret(std::string_view(text)) {
  WipeText(&text);
}

Secret Secret::Filled(size_t size, absl::FunctionRef<void(char*)> fill) {
  Secret secret;
  if (size == 0) return secret;
  secret.data_ = AllocateSecret(size);
  secret.size_ = size;
  fill(secret.data_);
  return secret;
}

void Secret::Wipe() {
  if (data_ != nullptr) FreeSecret(std::exchange(data_, nullptr), std::exchange(size_, 0));
}

void WipeText(std::string* text) {
  // Up to the capacity: it may have been longer before.
  text->resize(text->capacity());
  explicit_bzero(text->data(), text->size());
  text->clear();
}

Fingerprinter::Fingerprinter(Secret salt) : salt_(std::move(salt)) {
  InitSodium();
}

std::string Fingerprinter::Of(const Secret& secret) const {
  unsigned char hash[crypto_generichash_BYTES];
  const auto bytes = [](std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); };
  crypto_generichash(hash, sizeof(hash), bytes(secret.Reveal()), secret.Reveal().size(), bytes(salt_.Reveal()),
                     salt_.Reveal().size());
  return Hex(hash, kFingerprintBytes);
}

absl::StatusOr<Secret> Fingerprinter::LoadOrCreateSalt(const std::string& path) {
  const int existing = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (existing >= 0) {
    std::string salt(kSaltBytes + 1, '\0');
    const ssize_t size = read(existing, salt.data(), salt.size());
    close(existing);
    if (size != static_cast<ssize_t>(kSaltBytes)) {
      return absl::DataLossError(path + " is not 32 bytes; remove it to get a new one (fingerprints will change)");
    }
    salt.resize(kSaltBytes);
    return Secret(std::move(salt));
  }
  if (errno != ENOENT) return absl::ErrnoToStatus(errno, "cannot read " + path);

  Secret salt(RandomBytes(kSaltBytes));
  const int made = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (made < 0) return absl::ErrnoToStatus(errno, "cannot create " + path);
  const bool written =
      write(made, salt.Reveal().data(), kSaltBytes) == static_cast<ssize_t>(kSaltBytes) && fsync(made) == 0;
  close(made);
  if (!written) return absl::DataLossError("cannot write " + path);
  return salt;
}

std::string Sha256(std::string_view data) {
  std::string hash(crypto_hash_sha256_BYTES, '\0');
  crypto_hash_sha256(reinterpret_cast<unsigned char*>(hash.data()), reinterpret_cast<const unsigned char*>(data.data()),
                     data.size());
  return hash;
}

std::string RandomBytes(size_t bytes) {
  InitSodium();
  std::string random(bytes, '\0');
  randombytes_buf(random.data(), random.size());
  return random;
}

}  // namespace ccr

#include "broker/base/sealer.h"

#include <sodium.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"

namespace ccr {
namespace {

constexpr std::string_view kFamily = "ccr-sealed:";
constexpr std::string_view kFormat = "ccr-sealed:1:";
constexpr size_t kIdDigits = 16;
constexpr size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr int kBase64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

// What is derived of a master key.
constexpr char kDerivation[crypto_kdf_CONTEXTBYTES + 1] = "ccr-seal";
constexpr uint64_t kCipherKey = 1;
constexpr uint64_t kId = 2;

static_assert(kMasterKeyBytes == crypto_kdf_KEYBYTES);

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(char* text) {
  return reinterpret_cast<unsigned char*>(text);
}

void Derive(const Secret& master_key, uint64_t purpose, unsigned char* out, size_t size) {
  if (sodium_init() < 0) throw std::runtime_error("libsodium could not be initialised");
  crypto_kdf_derive_from_key(out, size, purpose, kDerivation, Bytes(master_key.Reveal()));
}

// Each part with its length before it: no two contexts are the same bytes.
std::string Authenticated(std::string_view id, const SealContext& context) {
  return absl::StrCat(ToAbsl(kFormat), ToAbsl(id), ":", context.pool.size(), ":", context.pool, ":",
                      context.key_id.size(), ":", context.key_id, ":", context.version);
}

std::string Encode(std::string_view bytes) {
  std::string text(sodium_base64_encoded_len(bytes.size(), kBase64), '\0');
  sodium_bin2base64(text.data(), text.size(), Bytes(bytes), bytes.size(), kBase64);
  text.pop_back();
  return text;
}

// Only what Encode() writes; libsodium takes some bytes beyond ASCII too.
std::optional<std::string> Decode(std::string_view text) {
  std::string bytes(text.size(), '\0');
  size_t size = 0;
  const char* end = nullptr;
  const int failed =
      sodium_base642bin(Bytes(bytes.data()), bytes.size(), text.data(), text.size(), nullptr, &size, &end, kBase64);
  bytes.resize(size);
  if (failed != 0 || end != text.data() + text.size() || Encode(bytes) != text) return std::nullopt;
  return bytes;
}

bool IsId(std::string_view text) {
  const auto digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() == kIdDigits && std::all_of(text.begin(), text.end(), digit);
}

struct Parts {
  std::string_view id;
  std::string body;  // nonce, ciphertext, tag
};

std::optional<Parts> Split(std::string_view sealed) {
  if (!sealed.starts_with(kFormat)) return std::nullopt;
  sealed.remove_prefix(kFormat.size());
  const std::string_view id = sealed.substr(0, kIdDigits);
  if (!IsId(id) || sealed.size() <= kIdDigits || sealed[kIdDigits] != ':') return std::nullopt;
  std::optional<std::string> body = Decode(sealed.substr(kIdDigits + 1));
  if (!body || body->size() < kNonceBytes + kTagBytes) return std::nullopt;
  return Parts{id, *std::move(body)};
}

}  // namespace

bool LooksSealed(std::string_view text) {
  return text.starts_with(kFamily);
}

std::string MasterKeyId(const Secret& master_key) {
  unsigned char hash[crypto_kdf_BYTES_MIN];
  Derive(master_key, kId, hash, sizeof(hash));
  std::string id(kIdDigits + 1, '\0');
  sodium_bin2hex(id.data(), id.size(), hash, kIdDigits / 2);
  id.pop_back();
  return id;
}

absl::StatusOr<Sealer> Sealer::Make(std::vector<Secret> master_keys, Random random) {
  if (master_keys.empty()) return absl::InvalidArgumentError("there is no master key: name at least one");
  std::vector<MasterKey> keys;
  for (const Secret& master_key : master_keys) {
    if (master_key.Reveal().size() != kMasterKeyBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("a master key is ", kMasterKeyBytes, " bytes, not ", master_key.Reveal().size()));
    }
    MasterKey key{MasterKeyId(master_key), Secret::Filled(crypto_aead_xchacha20poly1305_ietf_KEYBYTES, [&](char* out) {
                    Derive(master_key, kCipherKey, Bytes(out), crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
                  })};
    const auto same = [&key](const MasterKey& other) { return other.id == key.id; };
    if (std::any_of(keys.begin(), keys.end(), same)) {
      return absl::InvalidArgumentError(absl::StrCat("the master key ", key.id, " is given twice: remove one"));
    }
    keys.push_back(std::move(key));
  }
  return Sealer(std::move(keys), std::move(random));
}

std::string Sealer::Seal(const Secret& key, const SealContext& context) const {
  const MasterKey& newest = keys_.front();
  const std::string_view plain = key.Reveal();
  const std::string bound = Authenticated(newest.id, context);
  std::string body = random_(kNonceBytes);
  if (body.size() != kNonceBytes) throw std::logic_error("the source of randomness gave another number of bytes");
  const std::string nonce = body;
  body.resize(kNonceBytes + plain.size() + kTagBytes);
  crypto_aead_xchacha20poly1305_ietf_encrypt(Bytes(body.data() + kNonceBytes), nullptr, Bytes(plain), plain.size(),
                                             Bytes(bound), bound.size(), nullptr, Bytes(nonce),
                                             Bytes(newest.cipher_key.Reveal()));
  return absl::StrCat(ToAbsl(kFormat), newest.id, ":", Encode(body));
}

absl::StatusOr<Secret> Sealer::Open(std::string_view sealed, const SealContext& context) const {
  const std::string name = absl::StrCat("sealed key ", context.pool, "/", context.key_id,
                                        context.version > 0 ? absl::StrCat(" (version ", context.version, ")") : "");
  const std::optional<Parts> parts = Split(sealed);
  if (!parts && LooksSealed(sealed) && !sealed.starts_with(kFormat)) {
    return absl::InvalidArgumentError(absl::StrCat(name, " has a format that is not known here: only ", ToAbsl(kFormat),
                                                   "... is; a later ccr sealed it, or it is damaged"));
  }
  if (!parts) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " is no sealed text, or it is cut or damaged: it must be ", ToAbsl(kFormat), "ID:TEXT"));
  }
  const MasterKey* const master_key = Find(parts->id);
  if (master_key == nullptr) {
    return absl::NotFoundError(absl::StrCat(name, " was sealed with the master key ", ToAbsl(parts->id),
                                            ", which is not here: there is ", keys_.front().id,
                                            keys_.size() > 1 ? absl::StrCat(" and ", keys_.size() - 1, " more") : ""));
  }
  const std::string bound = Authenticated(parts->id, context);
  const std::string_view nonce = std::string_view(parts->body).substr(0, kNonceBytes);
  const std::string_view cipher = std::string_view(parts->body).substr(kNonceBytes);
  // Verified before anything is written, and only then there is something to write.
  int failed = 0;
  unsigned char nothing[1];
  const auto decrypt = [&](unsigned char* out) {
    failed =
        crypto_aead_xchacha20poly1305_ietf_decrypt(out, nullptr, nullptr, Bytes(cipher), cipher.size(), Bytes(bound),
                                                   bound.size(), Bytes(nonce), Bytes(master_key->cipher_key.Reveal()));
  };
  if (cipher.size() == kTagBytes) decrypt(nothing);
  Secret key = Secret::Filled(cipher.size() - kTagBytes, [&decrypt](char* out) { decrypt(Bytes(out)); });
  if (failed == 0) return key;
  return absl::DataLossError(
      absl::StrCat(name, " is refused: it is not as it was sealed, or it was sealed for another key"));
}

bool Sealer::IsOfNewest(std::string_view sealed) const {
  const std::optional<Parts> parts = Split(sealed);
  return parts && parts->id == keys_.front().id;
}

std::vector<std::string> Sealer::MasterKeyIds() const {
  std::vector<std::string> ids;
  for (const MasterKey& key : keys_) ids.push_back(key.id);
  return ids;
}

const Sealer::MasterKey* Sealer::Find(std::string_view id) const {
  const auto found = std::find_if(keys_.begin(), keys_.end(), [id](const MasterKey& key) { return key.id == id; });
  return found == keys_.end() ? nullptr : &*found;
}

}  // namespace ccr

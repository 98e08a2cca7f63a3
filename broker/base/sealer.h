// Keys at rest: sealed under a master key, each bound to what it is the key of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "broker/base/secret.h"

namespace ccr {

// What a sealed key is of. A text that was sealed for one context opens for no other.
struct SealContext {
  std::string pool;      // the provider's name
  std::string key_id;    // what the key is called there
  uint64_t version = 0;  // of the key, where it has several
};

inline constexpr size_t kMasterKeyBytes = 32;

// Whether `text` says of itself that it is sealed, by whatever version of the format.
bool LooksSealed(std::string_view text);

// Seals with the newest of its master keys, opens what any of them sealed. A sealed text is
//   ccr-sealed:1:MASTERKEYID:BODY
// MASTERKEYID names the master key: 16 hexadecimal digits of a hash that tells nothing of it. BODY is the nonce, the
// encrypted key and the tag of XChaCha20-Poly1305 (IETF), as base64url without padding; MASTERKEYID and the context are
// authenticated with it. Sealing one key twice gives two texts. Immutable, so thread-safe as far as `random` is.
class Sealer {
 public:
  // `bytes` unguessable bytes: RandomBytes, or what a test knows beforehand. No value may come twice.
  using Random = std::function<std::string(size_t bytes)>;

  // `master_keys` are kMasterKeyBytes each, the newest first. InvalidArgument: there is none, one has another size, or
  // one comes twice.
  static absl::StatusOr<Sealer> Make(std::vector<Secret> master_keys, Random random);

  // Text without spaces or quotes.
  std::string Seal(const Secret& key, const SealContext& context) const;

  // The message of an error begins with "sealed key POOL/KEYID", shows nothing of the text but the id of its master
  // key, and says what can be the matter:
  //   InvalidArgument  it is no sealed text, or of a later format
  //   NotFound         its master key is not among these
  //   DataLoss         it is not as it was sealed, or was sealed for another context
  absl::StatusOr<Secret> Open(std::string_view sealed, const SealContext& context) const;

  // False for what should be sealed anew, be it of an older master key or damaged beyond that question.
  bool IsOfNewest(std::string_view sealed) const;

  // Of the master keys, the newest first.
  std::vector<std::string> MasterKeyIds() const;

 private:
  struct MasterKey {
    std::string id;
    Secret cipher_key;  // derived from it
  };

  Sealer(std::vector<MasterKey> keys, Random random) : keys_(std::move(keys)), random_(std::move(random)) {}
  const MasterKey* Find(std::string_view id) const;

  std::vector<MasterKey> keys_;
  Random random_;
};

// The id that sealed texts give to this master key of kMasterKeyBytes.
std::string MasterKeyId(const Secret& master_key);

}  // namespace ccr

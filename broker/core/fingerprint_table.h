// Where the key with a fingerprint is.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "broker/core/types.h"

namespace ccr::core {

// A map in kParts parts, each of which grows for itself: an insertion moves one part at most, 2,000 entries of 100,000.
// Every operation is O(1), amortised for insertion. Not thread-safe.
class FingerprintTable {
 public:
  KeyIndex Find(std::string_view fingerprint) const {  // kNoKey when unknown
    const Part& part = parts_[PartOf(fingerprint)];
    const auto it = part.find(absl::string_view(fingerprint.data(), fingerprint.size()));
    return it == part.end() ? kNoKey : it->second;
  }
  // Precondition: unknown.
  void Insert(std::string_view fingerprint, KeyIndex key) {
    parts_[PartOf(fingerprint)].emplace(std::string(fingerprint), key);
  }
  void Erase(std::string_view fingerprint) {
    parts_[PartOf(fingerprint)].erase(absl::string_view(fingerprint.data(), fingerprint.size()));
  }

 private:
  static constexpr size_t kParts = 64;
  using Part = absl::flat_hash_map<std::string, KeyIndex>;

  // By other bits than those by which a part finds its entries: it would use few of its places.
  static size_t PartOf(std::string_view fingerprint) {
    return absl::HashOf(absl::string_view(fingerprint.data(), fingerprint.size()), kParts) % kParts;
  }

  std::array<Part, kParts> parts_;
};

}  // namespace ccr::core

#include "proxy/formats/answer_id.h"

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"

namespace ccr::proxy {
namespace {

constexpr std::string_view kIdMark = "_ccr";  // digits of a hash follow
constexpr size_t kIdMarkDigits = 8;
constexpr uint64_t kFnvBasis = 14695981039346656037u;
constexpr uint64_t kFnvPrime = 1099511628211u;

}  // namespace

uint64_t StableHash(std::string_view text) {
  uint64_t hash = kFnvBasis;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * kFnvPrime;
  return hash;
}

std::string MadeUpId(std::string_view prefix, uint64_t seed, size_t number) {
  const uint64_t hash = (seed ^ number) * kFnvPrime;
  return absl::StrCat(ToAbsl(prefix), absl::Hex(hash, absl::kZeroPad16));
}

std::string UniqueId(std::string_view prefix, std::string_view id, uint64_t seed, size_t number) {
  std::string made_up = MadeUpId(prefix, seed, number);
  if (id.empty()) return made_up;
  return std::string(id).append(kIdMark).append(made_up, made_up.size() - kIdMarkDigits);
}

std::string_view UpstreamId(std::string_view id) {
  const size_t mark = kIdMark.size() + kIdMarkDigits;
  if (id.size() <= mark || id.substr(id.size() - mark, kIdMark.size()) != kIdMark) return id;
  return id.substr(0, id.size() - mark);
}

}  // namespace ccr::proxy

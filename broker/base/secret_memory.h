// Where the characters of secrets are.
#pragma once

#include <cstddef>

namespace ccr {

// Memory that is not swapped out, as far as the limit of locked memory reaches, and not in core dumps. All of a size
// share pages, so that thousands of keys lock little; what is larger than kMaxLockedBytes (whole files, for as long as
// they are read) is not locked. Thread-safe.
inline constexpr size_t kMaxLockedBytes = 4096;
char* AllocateSecret(size_t bytes);
void FreeSecret(char* secret, size_t bytes);  // wipes it; `bytes` as allocated

// False once the limit did not suffice.
bool SecretsAreLocked();

}  // namespace ccr

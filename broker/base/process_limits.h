// What a process that holds keys asks of the kernel.
#pragma once

#include <cstddef>

namespace ccr {

// No core dumps, and no process of the same user can read the memory, the environment or the descriptors of this one
// (PR_SET_DUMPABLE; root still can). First thing in main.
void ProtectProcess();

// Raises the soft limit of open files to the hard one, at most to kMaxOpenFiles. Returns the limit in force.
inline constexpr size_t kMaxOpenFiles = 262144;
size_t RaiseOpenFiles();

}  // namespace ccr

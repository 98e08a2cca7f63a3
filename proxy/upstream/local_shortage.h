// Errors of this process and machine, which say nothing about who was to be reached.
#pragma once

#include <cerrno>

namespace ccr::proxy {

// Whether a socket could not be opened for want of descriptors or memory; `error` is an errno.
inline bool IsLocalShortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

}  // namespace ccr::proxy

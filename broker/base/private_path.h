// Whether other users of this machine could have put, or could replace, what lies in a folder.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace ccr {

// From the root, "." and ".." taken out; `path` as it is when there is no current folder to begin from.
std::string AbsolutePath(const std::string& path);

// PATH of "unix:PATH"; empty when `address` is another kind of address.
std::string UnixPath(std::string_view address);

// OK when nobody but its owner, who is this user or root, can create or replace files in `folder`. PermissionDenied
// names the folder and what to do. A folder whose entries only their owners may replace (sticky, as /tmp) passes when
// `allow_sticky`.
absl::Status CheckPrivateFolder(const std::string& folder, bool allow_sticky = false);

// For who is about to connect to the socket at `path`: OK when no stranger can be behind it, now or after the server
// was away. Its folder is written by its owner only, who is this user, root, or, where root alone laid the way to that
// folder, any other user; the socket is of one of them. A socket in a sticky folder must be there, of this user or
// root. A folder or socket that is missing passes. PermissionDenied names the path and what to do, also when this user
// may not connect.
absl::Status CheckSocketPath(const std::string& path);

}  // namespace ccr

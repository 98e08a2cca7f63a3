// What a body is, told by its first bytes.
#pragma once

#include <string_view>

namespace ccr::proxy {

enum class BodyForm { kUndecided, kUnknown, kEvents, kDocument };

// Events begin with a field of their format ("data:", "event:", "id:", "retry:") or a comment, a document with a brace or
// a bracket; white space and a byte order mark before them count as nothing. kUndecided while it may still be either,
// kUnknown when it is neither.
BodyForm FormOf(std::string_view bytes);

}  // namespace ccr::proxy

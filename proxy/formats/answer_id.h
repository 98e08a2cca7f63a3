// Identifiers of answers and calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ccr::proxy {

// FNV-1a: the same in every process and build.
uint64_t StableHash(std::string_view text);

// An identifier for what the upstream gave none: the same for the same seed and number. A seed is the hash of something
// that no other answer has, made once for all the identifiers of an answer.
std::string MadeUpId(std::string_view prefix, uint64_t seed, size_t number);
// The upstream's identifier of a message or a call, marked so that it differs from those of other answers: clients take
// equal ones for the same thing, and there are upstreams that call every first call "0". Made up where `id` is empty.
std::string UniqueId(std::string_view prefix, std::string_view id, uint64_t seed, size_t number);
// The identifier as the upstream gave it: without the mark.
std::string_view UpstreamId(std::string_view id);

}  // namespace ccr::proxy

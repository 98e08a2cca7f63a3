// The bytes of a JSON string that stand for themselves.
#pragma once

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace ccr::proxy {

// The first of [begin, end) that ends a run of plain bytes inside a string: '"', '\\' or a control character; else end.
inline const char* SkipPlain(const char* begin, const char* end) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1F);
  for (; end - begin >= 16; begin += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(begin));
    const __m128i special = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                                         _mm_cmpeq_epi8(_mm_max_epu8(bytes, control), control));
    const int mask = _mm_movemask_epi8(special);
    if (mask != 0) return begin + __builtin_ctz(static_cast<unsigned>(mask));
  }
#endif
  while (begin != end && *begin != '"' && *begin != '\\' && static_cast<unsigned char>(*begin) >= 0x20) ++begin;
  return begin;
}

// As SkipPlain, but a byte beyond ASCII ends the run too.
inline const char* SkipPlainAscii(const char* begin, const char* end) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(0x20);
  for (; end - begin >= 16; begin += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(begin));
    // Signed: what is beyond ASCII is negative.
    const __m128i special = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                                         _mm_cmplt_epi8(bytes, space));
    const int mask = _mm_movemask_epi8(special);
    if (mask != 0) return begin + __builtin_ctz(static_cast<unsigned>(mask));
  }
#endif
  const auto plain = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
  };
  while (begin != end && plain(*begin)) ++begin;
  return begin;
}

}  // namespace ccr::proxy

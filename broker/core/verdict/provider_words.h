// What providers' error codes, types and sentences mean: the one table of them.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/types/span.h"
#include "broker/core/types.h"

namespace ccr::core {

// What a word says beyond the status that it stands for.
enum class Meaning : uint8_t {
  kNothing,      // the status decides
  kRequest,      // no key would have served the request
  kThisRequest,  // it is more than this key may ask for; another one may
  kUnbooked,     // it asks for what the account has not booked; another one's may have
  kModel,        // the key may not use this model, or nobody may
  kAuth,
  kPermission,
  kQuota,
  kRateLimited,
  kOverloaded,
  kUpstream,
};

// An error code or type, as the provider writes it.
struct CodeWord {
  std::string_view word;
  int status = 0;  // with which providers say it
  Meaning meaning = Meaning::kNothing;
  std::string_view reason = {};  // what we call it; empty: what its status is called
};

// Numbers mean something else with every provider: they count with the shape that theirs has.
struct NumberWord {
  enum class Shape : uint8_t {
    kZhipu,        // four digits in `error.code` without a type, or in an envelope
    kMiniMax,      // `base_resp`
    kSiliconFlow,  // five digits at the top, without a type
  };
  Shape shape;
  std::string_view number;
  int status;
  Meaning meaning;
  std::string_view reason = {};
};

// Part of a sentence, compared without case.
struct Phrase {
  std::string_view words;
  Meaning meaning;
  std::string_view reason = {};
  // The sentence begins so: it is the provider's own. Elsewhere the words may be the client's, quoted, and so they never
  // say whose fault it is.
  bool begins = false;
  bool also_429 = false;  // counts in a 429 as well, where "quota" mostly means that of a minute
};

// The words that the evidence's code has, else those of its type; nullptr when neither is known. Shapes first.
const CodeWord* FindCode(const Evidence& evidence);
const NumberWord* FindNumber(const Evidence& evidence);
// The first phrase of its message for a refusal of that status; nullptr when none is known.
const Phrase* FindPhrase(std::string_view message, int status);
// Whether a sentence speaks of too many requests or tokens in a time: the ordinary words of a 429.
bool SpeaksOfRate(std::string_view message);

// `text` has `part`, without case.
bool ContainsWords(std::string_view text, std::string_view part);

absl::Span<const CodeWord> CodeWords();
absl::Span<const NumberWord> NumberWords();
absl::Span<const Phrase> Phrases();

}  // namespace ccr::core

// Random values for the property tests. A failure prints its seed: CCR_SEED=N begins with it, CCR_ROUNDS=N tries N
// seeds.
#pragma once

#include <algorithm>
#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/formats/translation.h"

namespace ccr::proxy {

namespace json = boost::json;

inline uint64_t FirstSeed() {
  const char* const seed = std::getenv("CCR_SEED");
  return seed == nullptr ? std::random_device()() : std::strtoull(seed, nullptr, 10);
}

inline uint64_t Rounds(uint64_t usual) {
  const char* const rounds = std::getenv("CCR_ROUNDS");
  return rounds == nullptr ? usual : std::strtoull(rounds, nullptr, 10);
}

class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  size_t Below(size_t n) { return engine_() % n; }
  bool OneIn(size_t n) { return Below(n) == 0; }
  template <typename T>
  const T& Pick(const std::vector<T>& from) {
    return from[Below(from.size())];
  }
  // Never empty.
  std::string Words() {
    static const std::vector<std::string> kPieces = {"a", " ",      "\n", "\r\n", "\"",    "\\", "é",  "漢字",
                                                     "😀", "data: ", "{}", "\x01", "event", "\t", "xyz"};
    std::string text = Pick(kPieces) + "w";
    while (!OneIn(4)) text += Pick(kPieces);
    return text;
  }
  std::mt19937_64& engine() { return engine_; }

 private:
  std::mt19937_64 engine_;
};

inline std::string RandomText(Dice& dice) {
  static const std::vector<std::string> kPieces = {
      "a",    "word ", "\n", "\"", "\\",       "\xC3\xA9", "\t", "\r\n", "data:", "\xE4\xBD\xA0", "\xF0\x9F\x98\x80",
      "\x01", " ",     "{",  "}",  "</system>"};
  std::string text;
  for (size_t n = dice.Below(8); n > 0; --n) text += dice.Pick(kPieces);
  return text;
}

inline json::value RandomJson(Dice& dice, int depth = 0) {
  switch (dice.Below(depth > 3 ? 5 : 7)) {
    case 0:
      return nullptr;
    case 1:
      return dice.OneIn(2);
    case 2:
      return static_cast<int64_t>(dice.Below(100000)) - 50000;
    case 3:
      return static_cast<double>(dice.Below(1000)) / 8;
    case 4:
      return json::value(RandomText(dice));
    case 5: {
      json::array array;
      for (size_t n = dice.Below(4); n > 0; --n) array.push_back(RandomJson(dice, depth + 1));
      return array;
    }
    default: {
      json::object object;
      for (size_t n = dice.Below(4); n > 0; --n) object[RandomText(dice)] = RandomJson(dice, depth + 1);
      return object;
    }
  }
}

inline json::object RandomObject(Dice& dice) {
  json::object object;
  for (size_t n = dice.Below(4); n > 0; --n) object[RandomText(dice)] = RandomJson(dice, 1);
  return object;
}

// The chunks as a stream of events, with all that the format allows.
inline std::string AsStream(const std::vector<std::string>& chunks, Dice& dice) {
  static const std::vector<std::string> kLineEnds = {"\n", "\r\n", "\r"};
  const std::string& end = dice.Pick(kLineEnds);
  std::string stream = dice.OneIn(5) ? "\xEF\xBB\xBF" : "";
  for (const std::string& chunk : chunks) {
    if (dice.OneIn(6)) stream += ": keep-alive" + end + end;
    stream += (dice.OneIn(2) ? "data: " : "data:") + chunk + end + end;
  }
  return stream;
}

// What the translator makes of the stream, split anywhere.
inline std::string FeedInPieces(StreamTranslator& translator, std::string_view stream, bool cut, Dice& dice,
                                bool* failed) {
  const size_t most = dice.OneIn(3) ? 1 : dice.OneIn(2) ? 20 : 2000;
  std::string out;
  while (!stream.empty()) {
    const size_t size = std::min(stream.size(), 1 + dice.Below(most));
    translator.Feed(stream.substr(0, size), &out);
    stream.remove_prefix(size);
  }
  translator.Finish(cut, &out);
  *failed = translator.failed();
  return out;
}

}  // namespace ccr::proxy

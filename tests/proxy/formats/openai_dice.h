// Random values for the property tests. CCR_SEED sets the first seed of a test, CCR_ROUNDS the number of seeds.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace ccr::proxy::dice {

namespace json = boost::json;

inline uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
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

}  // namespace ccr::proxy::dice

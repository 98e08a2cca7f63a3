// Draws that are the same with every standard library.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>

namespace ccr::rotation {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  double Uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }  // [0, 1)
  double Between(double low, double high) { return low + (high - low) * Uniform(); }
  uint64_t Below(uint64_t n) { return engine_() % n; }
  bool Chance(double share) { return Uniform() < share; }
  double Exponential(double mean) { return -mean * std::log1p(-Uniform()); }
  uint64_t Geometric(double mean) {  // from 1
    return mean <= 1 ? 1 : 1 + static_cast<uint64_t>(std::log1p(-Uniform()) / std::log1p(-1 / mean));
  }
  // Of the mean 1, with a long tail.
  double Lognormal(double sigma) {
    const double normal = std::sqrt(-2 * std::log1p(-Uniform())) * std::cos(6.283185307179586 * Uniform());
    return std::exp(sigma * normal - sigma * sigma / 2);
  }
  std::mt19937_64& engine() { return engine_; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace ccr::rotation

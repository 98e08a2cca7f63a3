// Bodies that come compressed.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace ccr::proxy {

// Reads a gzip body, of one member or more, or a zlib body, cut anywhere. Not thread-safe.
class Inflater {
 public:
  // Whether it reads what a content-encoding names.
  static bool Knows(std::string_view encoding);

  Inflater();
  ~Inflater();
  Inflater(Inflater&&) noexcept;
  Inflater& operator=(Inflater&&) noexcept;

  // Appends what the bytes stand for. False when they are no such body, or would add more than `most` bytes at once:
  // what is small to send may be large to hold.
  bool Feed(std::string_view bytes, size_t most, std::string* out);
  // What was fed is a part of a body only.
  bool broken_off() const;

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace ccr::proxy

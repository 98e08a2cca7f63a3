#include "proxy/core/inflater.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "proxy/core/ascii.h"

namespace ccr::proxy {
namespace {

constexpr int kGzipOrZlib = MAX_WBITS + 32;
constexpr size_t kPiece = 32 * 1024;

}  // namespace

struct Inflater::Stream {
  Stream() { good = inflateInit2(&z, kGzipOrZlib) == Z_OK; }
  ~Stream() { inflateEnd(&z); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  z_stream z{};
  bool good = false;
  bool begun = false;
  bool ended = false;  // the member that was read last
};

bool Inflater::Knows(std::string_view encoding) {
  return SameWithoutCase(encoding, "gzip") || SameWithoutCase(encoding, "x-gzip") ||
         SameWithoutCase(encoding, "deflate");
}

Inflater::Inflater() : stream_(std::make_unique<Stream>()) {}
Inflater::~Inflater() = default;
Inflater::Inflater(Inflater&&) noexcept = default;
Inflater& Inflater::operator=(Inflater&&) noexcept = default;

bool Inflater::broken_off() const {
  return stream_->begun && !stream_->ended;
}

bool Inflater::Feed(std::string_view bytes, size_t most, std::string* out) {
  z_stream& z = stream_->z;
  if (!stream_->good || bytes.size() > std::numeric_limits<uInt>::max()) return false;
  // zlib's interface is not const-correct: it reads only.
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  const size_t end = out->size() + most;
  unsigned char piece[kPiece];
  while (stream_->good) {
    if (stream_->ended) {
      if (z.avail_in == 0) break;
      stream_->good = inflateReset2(&z, kGzipOrZlib) == Z_OK;  // another member
      stream_->ended = false;
    }
    stream_->begun |= z.avail_in > 0;
    z.next_out = piece;
    z.avail_out = kPiece;
    const int result = inflate(&z, Z_NO_FLUSH);
    const size_t got = kPiece - z.avail_out;
    stream_->ended = result == Z_STREAM_END;
    stream_->good = (result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR) && out->size() + got <= end;
    if (stream_->good) out->append(reinterpret_cast<const char*>(piece), got);
    if (got < kPiece && !stream_->ended) break;
  }
  return stream_->good;
}

}  // namespace ccr::proxy

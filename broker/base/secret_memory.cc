#include "broker/base/secret_memory.h"

#include <string.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <bit>
#include <new>

#include "broker/base/mutex.h"

namespace ccr {
namespace {

constexpr size_t kBlockBytes = 64 * 1024;
constexpr size_t kSmallestBytes = 32;

std::atomic<bool> all_locked{true};

size_t RoundedUp(size_t bytes) {
  return bytes <= kSmallestBytes ? kSmallestBytes : std::bit_ceil(bytes);
}

char* MapPages(size_t bytes) {
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  madvise(pages, bytes, MADV_DONTDUMP);
  return static_cast<char*>(pages);
}

// Pieces of powers of two, cut from blocks that are never given back.
class Arena {
 public:
  char* Take(size_t bytes) {
    MutexLock lock(mutex_);
    Piece*& free = free_[std::bit_width(bytes)];
    if (free == nullptr) free = Cut(bytes);
    Piece* piece = free;
    free = piece->next;
    piece->next = nullptr;
    return reinterpret_cast<char*>(piece);
  }
  void Give(char* bytes, size_t size) {
    MutexLock lock(mutex_);
    Piece*& free = free_[std::bit_width(size)];
    free = new (bytes) Piece{free};
  }

 private:
  struct Piece {
    Piece* next = nullptr;
  };

  static Piece* Cut(size_t bytes) {
    char* block = MapPages(kBlockBytes);
    if (mlock(block, kBlockBytes) != 0) all_locked = false;
    Piece* pieces = nullptr;
    for (size_t at = 0; at < kBlockBytes; at += bytes) pieces = new (block + at) Piece{pieces};
    return pieces;
  }

  Mutex mutex_;
  std::array<Piece*, std::bit_width(kMaxLockedBytes) + 1> free_ CCR_GUARDED_BY(mutex_) = {};  // by width of the size
};

Arena& TheArena() {
  static auto* const arena = new Arena;  // secrets may end after static destructors
  return *arena;
}

}  // namespace

char* AllocateSecret(size_t bytes) {
  return bytes > kMaxLockedBytes ? MapPages(bytes) : TheArena().Take(RoundedUp(bytes));
}

void FreeSecret(char* secret, size_t bytes) {
  explicit_bzero(secret, bytes);
  if (bytes > kMaxLockedBytes) {
    munmap(secret, bytes);
  } else {
    TheArena().Give(secret, RoundedUp(bytes));
  }
}

bool SecretsAreLocked() {
  return all_locked;
}

}  // namespace ccr

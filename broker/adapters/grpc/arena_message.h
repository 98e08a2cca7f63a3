// A message on its own arena, used again and again without going back to the heap for each part of it.
#pragma once

#include <memory>

#include "google/protobuf/arena.h"

namespace ccr {

template <typename Message>
class ArenaMessage {
 public:
  ArenaMessage() : block_(new char[kBlockBytes]), arena_(Options(block_.get())) { Reset(); }

  Message& operator*() { return *message_; }
  Message* operator->() { return message_; }
  Message* get() { return message_; }

  // Makes it empty.
  void Reset() {
    arena_.Reset();
    message_ = google::protobuf::Arena::CreateMessage<Message>(&arena_);
  }

 private:
  static constexpr size_t kBlockBytes = 16 * 1024;

  static google::protobuf::ArenaOptions Options(char* block) {
    google::protobuf::ArenaOptions options;
    options.initial_block = block;
    options.initial_block_size = kBlockBytes;
    return options;
  }

  std::unique_ptr<char[]> block_;
  google::protobuf::Arena arena_;
  Message* message_ = nullptr;
};

}  // namespace ccr

// message.reasoning_details: what a model gave of its thinking, to be returned as it is, and the place where a client
// of this format returns other formats' state.
//
// Source: openrouter.ai/docs/use-cases/reasoning-tokens: a list of {"type":"reasoning.text","text","signature"},
// {"type":"reasoning.summary","summary"}, {"type":"reasoning.encrypted","data"}, each with id, format and index. In a
// stream they come in pieces that share an index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/formats/chat/common.h"
#include "proxy/formats/conversation/state.h"

namespace ccr::proxy::chat {

// A piece of the thinking, by its place in all of it: a signature is of one piece alone.
class ThinkingPiece {
 public:
  explicit ThinkingPiece(size_t at) : at_(at) {}
  void Add(std::string_view text);
  size_t end() const { return at_ + bytes_; }
  // "ccr_AT_BYTES_HASH".
  std::string Id() const;

 private:
  size_t at_;
  size_t bytes_ = 0;
  uint64_t hash_ = 14695981039346656037U;  // FNV-1a
};

// Appends the states of one piece to a list of details: those of this format natively, the others packed. `index` counts
// the packed ones.
void AppendDetails(const OpaqueStates& states, const ThinkingPiece& piece, size_t* index, ListWriter* list);

// The thinking that a client returns: `text` apart into the pieces that have state of their own. A signature whose piece
// is not what it was is left out, for it would be refused. At least one part where there are details.
std::vector<Part> ThinkingParts(std::string text, const json::array& details);

// The thinking's own words, for an upstream that sends details alone.
std::string DetailTexts(const json::array& details);

// Puts the details of a stream together.
class DetailCollector {
 public:
  // Returns about how many bytes more are held.
  size_t Add(const json::array& details);
  bool empty() const { return entries_.empty(); }
  // The list as JSON; empties it.
  std::string TakeJson();

 private:
  json::array entries_;
};

}  // namespace ccr::proxy::chat

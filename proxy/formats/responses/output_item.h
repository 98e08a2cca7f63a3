// Items of an answer's `output`, and the answer around them, as JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/formats/conversation/format.h"

namespace ccr::proxy::responses {

enum class ItemKind { kText, kRefusal, kReasoning, kCall, kCustomCall };

inline bool IsMessage(ItemKind kind) {
  return kind == ItemKind::kText || kind == ItemKind::kRefusal;
}

// One part of an answer, which is an item of its own.
struct OutputItem {
  ItemKind kind = ItemKind::kText;
  std::string id;
  std::string call_id, name, group;  // calls
  std::string text;                  // of a call the arguments or the input
  std::string encrypted;             // kReasoning; null where it is empty
};

// What an item of that number is called by: the prefix is its kind's.
std::string ItemId(ItemKind kind, uint64_t seed, size_t number);

// The item as it is while it comes, without its text, or when it is complete.
void AppendItem(const OutputItem& item, bool complete, std::string* out);
// A part of a message's content: output_text or refusal.
void AppendContent(ItemKind kind, std::string_view text, std::string* out);

// `encrypted_content` for a reasoning item with that id: the provider's own where it was made for this id, else all
// states packed.
std::string EncryptedContent(const OpaqueStates& states, std::string_view item_id);

// The name that the client knows a tool by, and whether its input is a text.
void NameCall(std::string_view name, const AnswerContext& context, OutputItem* item);

// What WholePart brings. Empty where this format has nothing for it.
std::string WholeItem(const Part& part, uint64_t seed, size_t number);

struct ResponseHead {
  std::string id, model;
  int64_t created = 0;
};

// `id` is the provider's. The seed is for the ids of items.
ResponseHead HeadOf(std::string_view id, std::string_view model, const AnswerContext& context, uint64_t* seed);

// How an answer ended; `refused`: its content says so itself.
struct ResponseEnd {
  std::string_view status = "in_progress";
  std::string_view incomplete;  // the reason; null where it is empty
  const AnswerError* error = nullptr;
};
ResponseEnd EndOf(const Stop& stop, bool refused);

// The response object. `output` are items with commas between them; no usage where it is null.
void AppendResponse(const ResponseHead& head, const ResponseEnd& end, std::string_view output, const Usage* usage,
                    std::string* out);

}  // namespace ccr::proxy::responses

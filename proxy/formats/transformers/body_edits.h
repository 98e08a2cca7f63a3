// What transformers have in common.
#pragma once

#include <string_view>

#include "absl/functional/function_ref.h"
#include "proxy/formats/transformers/transformer.h"

namespace ccr::proxy {

// Erases the member, with a note.
void Drop(const EditContext& context, std::string_view name, json::object* body);

// Gives the member another name; the one that bears it already stays.
void Rename(std::string_view from, std::string_view to, json::object* body);

// Numbers above `max` become it, with a note. Other values stay.
void Cap(const EditContext& context, std::string_view name, int64_t max, json::object* body);

// Marks on the body, in system, messages with all their content, and tools; never in what tools are given or take.
void EraseCacheControl(const EditContext& context, json::object* body);

// "$schema" of the parameters of tools.
void EraseSchemaNames(const EditContext& context, json::object* body);

bool IsGptOss(std::string_view model);
bool IsClaude(std::string_view model);

// Calls `edit` for each call in the messages of a response, or in the deltas of a chunk.
void ForEachCall(json::object* answer, absl::FunctionRef<void(json::object& call)> edit);

}  // namespace ccr::proxy

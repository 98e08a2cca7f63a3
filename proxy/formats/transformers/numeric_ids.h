// Ids of calls that are mere numbers repeat in the next turn: they get a prefix that is the answer's own.
#pragma once

#include <memory>

#include "proxy/formats/transformers/transformer.h"

namespace ccr::proxy {

void PrefixNumericIds(const EditContext& context, json::object* response);
std::unique_ptr<ChunkEdit> MakeNumericIdEdit();

}  // namespace ccr::proxy

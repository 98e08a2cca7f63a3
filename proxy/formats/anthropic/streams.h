// Anthropic's streams of events, both ways.
#pragma once

#include <memory>

#include "proxy/formats/conversation/format.h"

namespace ccr::proxy::anthropic {

// message_stop, or a stop_reason that came before a cut, makes a proper end. Blocks may interleave. Those that only
// Anthropic knows come whole, when they stop.
std::unique_ptr<StreamReader> MakeStreamReader();

// Cannot write an invalid order, whatever is called: message_start once, blocks strictly one after another with rising
// indices, then message_delta and message_stop, or at any point an error event that ends the stream.
//
// Blocks come one after another, so what belongs to a later part while one is open is held, bounded by
// StreamReader::kMaxHeldBytes; beyond it the stream fails. A part of text ends where a later part begins, and goes on in
// a block of its own; a call ends with its JSON. A call's block waits for its first delta, since states that its id
// carries may come before.
std::unique_ptr<StreamWriter> MakeStreamWriter(const AnswerContext& context);

}  // namespace ccr::proxy::anthropic

// Answers for Gemini's clients, whole and as they come; codec.h holds the table.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proxy/formats/conversation/format.h"

namespace ccr::proxy::gemini {

// As FormatCodec's.
std::string WriteAnswer(const ModelAnswer& answer, const AnswerContext& context);
std::unique_ptr<StreamWriter> WriteStream(const AnswerContext& context);

// What both have in common.

// Appends the part of an answer as Gemini's; false, and nothing, where it has no place for it or it is empty.
bool AppendAnswerPart(const Part& part, JsonBudget* budget, std::string* out);

// The rest of a GenerateContentResponse behind the parts of its candidate, which begins with kAnswerHead.
inline constexpr std::string_view kAnswerHead = R"({"candidates":[{"content":{"parts":[)";
inline constexpr std::string_view kPartsEnd = R"(],"role":"model"})";
// finishReason, and finishMessage where the answer has no content but an explanation.
void AppendFinish(const Stop& stop, std::string* out);
void AppendUsage(const Usage& usage, std::string* out);
// modelVersion and responseId, and the end of the object. An id is made up of the context's seed where there is none.
std::string AnswerTail(std::string_view id, std::string_view model, const AnswerContext& context);

}  // namespace ccr::proxy::gemini

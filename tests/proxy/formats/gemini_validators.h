// What the reference of Gemini's generateContent calls a valid request, and what the live API is known to refuse.
// Written from them, knowing nothing of the translator.
#pragma once

#include <string>
#include <string_view>

namespace ccr::proxy {

// A body of :generateContent. Answers what is wrong with it, and nothing when all is well.
std::string CheckGeminiRequest(std::string_view body);

// A Schema, as JSON.
std::string CheckGeminiSchema(std::string_view schema);

}  // namespace ccr::proxy

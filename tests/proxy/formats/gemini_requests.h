// Requests of Gemini's clients for the tests of its codec.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "proxy/formats/gemini/codec.h"

namespace ccr::proxy::gemini {

inline ModelRequest ReadGemini(std::string_view body, Notes* notes = nullptr) {
  Notes none;
  auto request = gemini::Codec().ReadRequest(body, notes == nullptr ? &none : notes);
  EXPECT_TRUE(request.ok()) << request.status();
  return request.ok() ? std::move(*request) : ModelRequest();
}

// The request of a client of Gemini's, with one user's "hi" and `more`.
inline ModelRequest ReadMore(std::string_view more) {
  return ReadGemini(R"({"contents":[{"parts":[{"text":"hi"}]}],)" + std::string(more) + "}");
}

}  // namespace ccr::proxy::gemini

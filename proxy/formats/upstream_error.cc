#include "proxy/formats/upstream_error.h"

#include <charconv>
#include <cstddef>
#include <cstdint>

namespace ccr::proxy {
namespace {

constexpr size_t kMaxErrorText = 4096;

std::string MessageOf(const json::object& error) {
  std::string message(FindText(error, "message"));
  const json::object* metadata = FindObject(error, "metadata");
  const std::string_view raw = metadata == nullptr ? std::string_view() : FindText(*metadata, "raw");
  if (!raw.empty()) message.append(message.empty() ? "" : ": ").append(raw);
  return message;
}

// A status that an answer had says more than the words of its body; 500 is also that of an answer that began well.
int StatusOf(const json::object& error, int status) {
  if (status >= 400 && status != 500) return status;
  const std::string_view digits = FindText(error, "code");
  uint64_t code = FindUint(error, "code");
  std::from_chars(digits.data(), digits.data() + digits.size(), code);
  if (code >= 400 && code <= 599) return static_cast<int>(code);
  const std::string words = std::string(FindText(error, "type")).append(" ").append(digits);
  if (words.find("rate_limit") != words.npos) return 429;
  if (words.find("overloaded") != words.npos) return 529;
  if (words.find("invalid_request") != words.npos) return 400;
  return status;
}

}  // namespace

UpstreamError ReadUpstreamError(const json::value& body, int status) {
  if (body.is_array() && !body.get_array().empty()) return ReadUpstreamError(body.get_array().front(), status);
  if (body.is_string()) return {status, std::string(View(body.get_string()))};
  if (!body.is_object()) return {status, ToJson(body)};
  const json::object& object = body.get_object();
  const json::object* error = FindObject(object, "error");
  UpstreamError read{StatusOf(error == nullptr ? object : *error, status), {}};
  if (error != nullptr) read.message = MessageOf(*error);
  for (const std::string_view member : {"error", "message", "detail"}) {
    if (read.message.empty()) read.message = FindText(object, member);
  }
  if (read.message.empty()) read.message = ToJson(body);
  return read;
}

std::string UpstreamErrorMessage(int status, std::string_view body) {
  const absl::StatusOr<json::value> parsed = ParseJson(body);
  if (parsed.ok()) return ReadUpstreamError(*parsed, status).message;
  if (!body.empty()) return std::string(body.substr(0, kMaxErrorText));
  return "the upstream answered with status " + std::to_string(status);
}

}  // namespace ccr::proxy

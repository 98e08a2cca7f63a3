#include "proxy/formats/responses/writing.h"

#include <algorithm>

namespace ccr::proxy::responses {

void AppendMember(std::string_view name, std::string_view text, std::string* out) {
  out->append(",\"").append(name).append("\":");
  AppendJsonString(text, out);
}

void AppendOthers(const json::object& members, std::initializer_list<std::string_view> skipped, std::string* out) {
  for (const json::key_value_pair& member : members) {
    const std::string_view key(member.key().data(), member.key().size());
    if (std::find(skipped.begin(), skipped.end(), key) != skipped.end()) continue;
    *out += ',';
    AppendJsonString(key, out);
    *out += ':';
    AppendJson(member.value(), out);
  }
}

void AppendCacheMark(const json::value& mark, std::string* out) {
  if (mark.is_null()) return;
  *out += ",\"cache_control\":";
  AppendJson(mark, out);
}

bool AppendReasoningState(std::string_view state, std::string* out, bool* raw) {
  const absl::StatusOr<json::value> parsed = ParseJson(state);
  if (!parsed.ok() || !parsed->is_object()) return false;
  *raw = Find(parsed->get_object(), "content") != nullptr;
  AppendOthers(parsed->get_object(), {"type", "summary", "status"}, out);
  return true;
}

std::string ReasoningId(std::string_view state) {
  const absl::StatusOr<json::value> parsed = ParseJson(state);
  return parsed.ok() && parsed->is_object() ? std::string(FindText(parsed->get_object(), "id")) : std::string();
}

}  // namespace ccr::proxy::responses

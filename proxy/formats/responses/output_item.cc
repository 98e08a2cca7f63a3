#include "proxy/formats/responses/output_item.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/answer_id.h"
#include "proxy/formats/responses/errors.h"
#include "proxy/formats/responses/writing.h"

namespace ccr::proxy::responses {
namespace {

void AppendUsage(const Usage& usage, std::string* out) {
  absl::StrAppend(out, R"({"input_tokens":)", usage.input, R"(,"input_tokens_details":{"cached_tokens":)",
                  usage.cache_read, R"(,"cache_write_tokens":)", usage.cache_written, R"(},"output_tokens":)",
                  usage.output, R"(,"output_tokens_details":{"reasoning_tokens":)", usage.reasoning,
                  R"(},"total_tokens":)", usage.input + usage.output, "}");
}

void AppendCall(const OutputItem& item, bool complete, std::string* out) {
  AppendMember("call_id", item.call_id, out);
  AppendMember("name", item.name, out);
  if (!item.group.empty()) AppendMember("namespace", item.group, out);
  AppendMember(item.kind == ItemKind::kCall ? "arguments" : "input", complete ? item.text : std::string(), out);
}

void AppendReasoning(const OutputItem& item, bool complete, std::string* out) {
  *out += ",\"summary\":[";
  if (complete && !item.text.empty()) {
    *out += R"({"type":"summary_text")";
    AppendMember("text", item.text, out);
    *out += '}';
  }
  *out += ']';
  if (!complete) return;
  if (item.encrypted.empty()) {
    *out += ",\"encrypted_content\":null";
  } else {
    AppendMember("encrypted_content", item.encrypted, out);
  }
}

// Whether a part that only its own format knows is an item of this one.
bool IsItem(const json::object& own) {
  const std::string_view type = FindText(own, "type");
  return type.ends_with("_call") || type.ends_with("_call_output") || type == "mcp_list_tools" ||
         type == "mcp_approval_request" || (type == "compaction" && !FindText(own, "encrypted_content").empty());
}

}  // namespace

std::string ItemId(ItemKind kind, uint64_t seed, size_t number) {
  constexpr std::array<std::string_view, 5> kPrefixes = {"msg_", "msg_", "rs_", "fc_", "ctc_"};
  return MadeUpId(kPrefixes[static_cast<size_t>(kind)], seed, number + 1);
}

void AppendItem(const OutputItem& item, bool complete, std::string* out) {
  constexpr std::array<std::string_view, 5> kTypes = {"message", "message", "reasoning", "function_call",
                                                      "custom_tool_call"};
  *out += R"({"id":)";
  AppendJsonString(item.id, out);
  AppendMember("type", kTypes[static_cast<size_t>(item.kind)], out);
  if (item.kind != ItemKind::kReasoning) AppendMember("status", complete ? "completed" : "in_progress", out);
  if (item.kind == ItemKind::kReasoning) AppendReasoning(item, complete, out);
  if (item.kind == ItemKind::kCall || item.kind == ItemKind::kCustomCall) AppendCall(item, complete, out);
  if (IsMessage(item.kind)) {
    *out += R"(,"role":"assistant","content":[)";
    if (complete) AppendContent(item.kind, item.text, out);
    *out += ']';
  }
  *out += '}';
}

void AppendContent(ItemKind kind, std::string_view text, std::string* out) {
  if (kind == ItemKind::kRefusal) {
    *out += R"({"type":"refusal")";
    AppendMember("refusal", text, out);
  } else {
    *out += R"({"type":"output_text","annotations":[],"logprobs":[])";
    AppendMember("text", text, out);
  }
  *out += '}';
}

std::string EncryptedContent(const OpaqueStates& states, std::string_view item_id) {
  const OpaqueState* own = states.size() == 1 ? FindState(states, StateKind::kResponsesReasoning) : nullptr;
  if (own == nullptr) return PackStates(states);
  const absl::StatusOr<json::value> parsed = ParseJson(own->data);
  const json::object* state = parsed.ok() ? parsed->if_object() : nullptr;
  if (state == nullptr || Find(*state, "content") != nullptr) return PackStates(states);
  // A provider refuses what was made for an item of another id.
  const std::string_view id = FindText(*state, "id");
  if (!id.empty() && id != item_id) return PackStates(states);
  return std::string(FindText(*state, "encrypted_content"));
}

void NameCall(std::string_view name, const AnswerContext& context, OutputItem* item) {
  item->name = name;
  const std::vector<std::string>& custom = context.custom_tools;
  if (std::find(custom.begin(), custom.end(), name) != custom.end()) item->kind = ItemKind::kCustomCall;
  const auto grouped = context.grouped_tools.find(name);
  if (grouped == context.grouped_tools.end()) return;
  item->group = grouped->second.group;
  item->name = grouped->second.name;
}

std::string WholeItem(const Part& part, uint64_t seed, size_t number) {
  std::string item;
  if (part.kind == PartKind::kOther && IsItem(part.own)) AppendJson(part.own, &item);
  const bool image = part.kind == PartKind::kMedia && part.media.source == Media::Source::kBase64 &&
                     absl::StartsWith(part.media.type, "image/");
  if (!image) return item;
  item = R"({"id":)";
  AppendJsonString(MadeUpId("ig_", seed, number + 1), &item);
  item += R"(,"type":"image_generation_call","status":"completed")";
  AppendMember("output_format", std::string_view(part.media.type).substr(6), &item);
  AppendMember("result", part.media.data, &item);
  return item.append("}");
}

ResponseHead HeadOf(std::string_view id, std::string_view model, const AnswerContext& context, uint64_t* seed) {
  ResponseHead head;
  *seed = StableHash(absl::StrCat(context.id_seed, ToAbsl(id)));
  head.id = id.starts_with("resp_") ? std::string(id) : MadeUpId("resp_", *seed, 0);
  head.model = context.model.empty() ? std::string(model) : context.model;
  head.created = context.created;
  return head;
}

ResponseEnd EndOf(const Stop& stop, bool refused) {
  if (stop.cause == StopCause::kMaxTokens || stop.cause == StopCause::kContext) {
    return {"incomplete", "max_output_tokens", nullptr};
  }
  if (stop.cause == StopCause::kRefusal && !refused) return {"incomplete", "content_filter", nullptr};
  return {"completed", "", nullptr};
}

void AppendResponse(const ResponseHead& head, const ResponseEnd& end, std::string_view output, const Usage* usage,
                    std::string* out) {
  *out += R"({"id":)";
  AppendJsonString(head.id, out);
  absl::StrAppend(out, R"(,"object":"response","created_at":)", head.created, R"(,"status":")", ToAbsl(end.status),
                  R"(","background":false,"error":)");
  if (end.error == nullptr) {
    *out += "null";
  } else {
    *out += R"({"code":)";
    AppendJsonString(CodeOf(end.error->kind), out);
    AppendMember("message", end.error->message, out);
    *out += '}';
  }
  *out += ",\"incomplete_details\":";
  if (end.incomplete.empty()) {
    *out += "null";
  } else {
    out->append(R"({"reason":")").append(end.incomplete).append("\"}");
  }
  *out += R"(,"instructions":null,"max_output_tokens":null,"metadata":{})";
  AppendMember("model", head.model, out);
  out->append(",\"output\":[").append(output);
  *out += R"(],"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},)"
          R"("service_tier":"default","store":false,"temperature":null,"text":{"format":{"type":"text"}},)"
          R"("tool_choice":"auto","tools":[],"top_p":null,"truncation":"disabled","usage":)";
  if (usage == nullptr) {
    *out += "null";
  } else {
    AppendUsage(*usage, out);
  }
  *out += '}';
}

}  // namespace ccr::proxy::responses

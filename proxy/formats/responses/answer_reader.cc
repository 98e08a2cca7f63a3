#include "proxy/formats/responses/answer_reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/formats/responses/errors.h"
#include "proxy/formats/responses/parts.h"
#include "proxy/formats/upstream_error.h"

namespace ccr::proxy::responses {
namespace {

void ReadMessage(json::object* item, Notes* notes, std::vector<Part>* parts) {
  std::vector<Part> content;
  ReadContent(Find(*item, "content"), notes, &content);
  for (Part& part : content) {
    if (part.own.contains("annotations")) AddNote(notes, "content.annotations: dropped");
    if (part.kind == PartKind::kText || part.kind == PartKind::kRefusal) part.own.clear();
    const bool empty = part.text.empty() && part.kind != PartKind::kMedia && part.kind != PartKind::kOther;
    if (!empty) parts->push_back(std::move(part));
  }
}

bool ReadGeneratedImage(const json::object& item, std::vector<Part>* parts) {
  const std::string_view data = FindText(item, "result");
  if (FindText(item, "type") != "image_generation_call" || data.empty()) return false;
  Part& part = parts->emplace_back();
  part.kind = PartKind::kMedia;
  const std::string_view format = FindText(item, "output_format");
  part.media.type = absl::StrCat("image/", format.empty() ? "png" : ToAbsl(format));
  part.media.data = data;
  return true;
}

bool Has(const std::vector<Part>& parts, PartKind kind) {
  return std::any_of(parts.begin(), parts.end(), [kind](const Part& part) { return part.kind == kind; });
}

absl::Status Check(const json::object& response) {
  const std::string_view status = FindText(response, "status");
  const json::object* error = FindObject(response, "error");
  if (error != nullptr || Find(response, "error") != nullptr || status == "failed") {
    const std::string message =
        error != nullptr ? ReadErrorObject(*error, 500).message : ReadUpstreamError(json::value(response), 500).message;
    return absl::InternalError(message);
  }
  if (status == "cancelled") return absl::InternalError("the upstream cancelled its answer");
  if (FindArray(response, "output") != nullptr) return absl::OkStatus();
  return absl::InternalError("the upstream's answer is no response: it has no output");
}

}  // namespace

void ReadItem(json::object* item, Notes* notes, std::vector<Part>* parts) {
  const std::string_view type = FindText(*item, "type");
  if (type == "message") return ReadMessage(item, notes, parts);
  if (type == "function_call" || type == "custom_tool_call") {
    parts->push_back(ReadCall(item));
  } else if (type == "reasoning") {
    Part part;
    if (ReadReasoning(item, &part)) parts->push_back(std::move(part));
  } else if (!ReadGeneratedImage(*item, parts)) {
    parts->push_back(OtherPart(item));
  }
}

Usage ReadUsage(const json::object& response) {
  Usage read;
  const json::object* usage = FindObject(response, "usage");
  if (usage == nullptr) return read;
  read.input = FindUint(*usage, "input_tokens");
  read.output = FindUint(*usage, "output_tokens");
  if (const json::object* details = FindObject(*usage, "input_tokens_details"); details != nullptr) {
    read.cache_read = FindUint(*details, "cached_tokens");
    read.cache_written = FindUint(*details, "cache_write_tokens");
  }
  if (const json::object* details = FindObject(*usage, "output_tokens_details"); details != nullptr) {
    read.reasoning = FindUint(*details, "reasoning_tokens");
  }
  return read;
}

Stop ReadStop(const json::object& response, bool called, bool refused) {
  Stop stop;
  const json::object* details = FindObject(response, "incomplete_details");
  const std::string_view reason = details == nullptr ? std::string_view() : FindText(*details, "reason");
  if (reason == "content_filter") {
    stop.cause = StopCause::kRefusal;
  } else if (!reason.empty() || FindText(response, "status") == "incomplete") {
    stop.cause = StopCause::kMaxTokens;
  } else if (called) {
    stop.cause = StopCause::kToolUse;
  } else {
    stop.cause = refused ? StopCause::kRefusal : StopCause::kEnd;
  }
  return stop;
}

absl::StatusOr<ModelAnswer> ReadAnswer(std::string_view body, Notes* notes) {
  const json::storage_ptr memory = json::make_shared_resource<json::monotonic_resource>();
  absl::StatusOr<json::value> parsed = ParseJson(body, memory);
  if (!parsed.ok()) return absl::InternalError(absl::StrCat("the upstream's answer is ", parsed.status().message()));
  json::object* response = parsed->if_object();
  if (response == nullptr) return absl::InternalError("the upstream's answer is no JSON object");
  if (absl::Status status = Check(*response); !status.ok()) return status;
  ModelAnswer answer;
  answer.id = FindText(*response, "id");
  answer.model = FindText(*response, "model");
  for (json::value& item : *FindArray(*response, "output")) {
    if (item.is_object()) ReadItem(&item.get_object(), notes, &answer.parts);
  }
  for (const Part& part : answer.parts) {
    if (part.kind == PartKind::kToolCall && part.name.empty()) {
      return absl::InternalError("the upstream sent a tool call without a name");
    }
  }
  answer.usage = ReadUsage(*response);
  answer.stop = ReadStop(*response, Has(answer.parts, PartKind::kToolCall), Has(answer.parts, PartKind::kRefusal));
  return answer;
}

}  // namespace ccr::proxy::responses

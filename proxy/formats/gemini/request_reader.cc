#include "proxy/formats/gemini/request_reader.h"

#include <utility>

#include "proxy/formats/gemini/camel.h"
#include "proxy/formats/gemini/config_reader.h"
#include "proxy/formats/gemini/contents_reader.h"

namespace ccr::proxy::gemini {
namespace {

absl::Status ReadContents(json::object* body, ModelRequest* request, Notes* notes) {
  ContentsReader reader(request, notes);
  if (json::value system = TakeMember(body, "systemInstruction"); !system.is_null()) reader.AddSystem(&system);
  json::value contents = TakeMember(body, "contents");
  if (contents.is_object()) return reader.Add(&contents, 0);
  if (!contents.is_array() || contents.get_array().empty()) {
    return absl::InvalidArgumentError("contents: at least one content is required");
  }
  json::array& list = contents.get_array();
  for (size_t i = 0; i < list.size(); ++i) {
    if (absl::Status status = reader.Add(&list[i], i); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ModelRequest> ReadRequest(std::string_view body, Notes* notes) {
  ModelRequest request;
  request.origin = Format::kGemini;
  request.include_usage = true;
  Adopt(&request.own, json::object(request.memory));
  absl::StatusOr<json::value> parsed = ParseJson(body, request.memory);
  if (!parsed.ok()) return parsed.status();
  json::object* object = parsed->if_object();
  if (object == nullptr) return absl::InvalidArgumentError("the body must be a JSON object");
  CamelNames(object);
  if (absl::Status status = ReadContents(object, &request, notes); !status.ok()) return status;
  ReadTools(TakeMember(object, "tools"), &request, notes);
  ReadToolConfig(TakeMember(object, "toolConfig"), &request);
  ReadGenerationConfig(TakeMember(object, "generationConfig"), &request);
  TakeMember(object, "model");  // the URL's counts
  for (json::key_value_pair& member : *object) request.own.emplace(member.key(), std::move(member.value()));
  return request;
}

}  // namespace ccr::proxy::gemini

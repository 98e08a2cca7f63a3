#include "proxy/http/write_answer.h"

#include <cstdint>
#include <string>

#include "proxy/core/error_body.h"

namespace ccr::proxy {

void WriteRequestId(ResponseWriter& writer) {
  if (!writer.request_id().empty()) writer.Header("x-request-id", writer.request_id());
}

void WriteError(ResponseWriter& writer, Format format, const OwnAnswer& answer, std::string_view allow) {
  const std::string& id = writer.request_id();
  const std::string body =
      ErrorBody(format, answer.status, id.empty() ? answer.message : answer.message + " (request " + id + ")");
  writer.BeginHead(answer.status);
  writer.Header("content-type", "application/json");
  WriteRequestId(writer);
  if (answer.retry_after) writer.Header("retry-after", RetryAfterSeconds(*answer.retry_after));
  if (!allow.empty()) writer.Header("allow", allow);
  writer.EndHead(static_cast<int64_t>(body.size()));
  writer.Body(body);
  writer.End();
}

void WriteJson(ResponseWriter& writer, int status, std::string_view json) {
  writer.BeginHead(status);
  writer.Header("content-type", "application/json");
  WriteRequestId(writer);
  writer.EndHead(static_cast<int64_t>(json.size()));
  writer.Body(json);
  writer.End();
}

}  // namespace ccr::proxy

#include "proxy/formats/transformers/table.h"

namespace ccr::proxy {
namespace {

void EditStreamOptionsRequest(const EditContext&, json::object* body) {
  if (!FindBool(*body, "stream")) return;
  json::value& options = (*body)["stream_options"];
  if (!options.is_object()) options = json::object();
  options.get_object()["include_usage"] = true;
}

}  // namespace

const Transformer kStreamOptions = {.name = "streamoptions", .edit_request = EditStreamOptionsRequest};

}  // namespace ccr::proxy

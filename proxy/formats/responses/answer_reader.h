// Reads answers, whole and as the items and responses of a stream's events.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "proxy/formats/conversation/format.h"

namespace ccr::proxy::responses {

// The parts of one item of the output; what it holds may be moved out of it. A call without a name has an empty one.
void ReadItem(json::object* item, Notes* notes, std::vector<Part>* parts);

Usage ReadUsage(const json::object& response);

// `called`: it holds calls; `refused`: a refusal.
Stop ReadStop(const json::object& response, bool called, bool refused);

// As FormatCodec has them.
absl::StatusOr<ModelAnswer> ReadAnswer(std::string_view body, Notes* notes);
std::unique_ptr<StreamReader> ReadStream();

}  // namespace ccr::proxy::responses

// ScanBody and SpliceModel against Boost.JSON.
#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "proxy/core/json/scan.h"
#include "proxy/core/router.h"
#include "tests/fuzz/fuzz.h"

namespace ccr::proxy {
namespace {

namespace json = boost::json;
using fuzz::Require;

json::value Parse(std::string_view text, json::error_code* failed) {
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  return json::parse({text.data(), text.size()}, *failed, {}, options);
}

// What Boost.JSON accepts, the scan accepts, and finds the same in it.
void CheckAgreement(std::string_view text, const BodyScan& scan, const json::object& tree) {
  Require(scan.valid);
  const json::value* model = tree.if_contains("model");
  const json::value* stream = tree.if_contains("stream");
  Require(scan.stream == (stream != nullptr && stream->is_bool() && stream->get_bool()));
  Require((scan.model_end > scan.model_begin) == (model != nullptr));
  Require(scan.model.has_value() == (model != nullptr && model->is_string()));
  if (!scan.model.has_value()) return;
  Require(*scan.model == std::string_view(model->get_string().data(), model->get_string().size()));
  json::error_code failed;
  Require(Parse(text.substr(scan.model_begin, scan.model_end - scan.model_begin), &failed) == *model);
}

// A spliced body is as valid as before and names the new model.
void CheckSplice(std::string_view text, const BodyScan& scan) {
  std::string storage, joined;
  for (const std::string_view piece : SpliceModel(text, scan, "new \"model\"", &storage)) joined += piece;
  const BodyScan spliced = ScanBody(joined);
  Require(spliced.valid && spliced.model == "new \"model\"");
  Require(spliced.stream == scan.stream && spliced.session == scan.session);
}

}  // namespace
}  // namespace ccr::proxy

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ccr::proxy;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const BodyScan scan = ScanBody(text);
  Require(scan.valid == scan.error.empty());
  if (scan.valid) CheckSplice(text, scan);
  boost::json::error_code failed;
  const boost::json::value tree = Parse(text, &failed);
  if (!failed && tree.is_object()) CheckAgreement(text, scan, tree.get_object());
  return 0;
}

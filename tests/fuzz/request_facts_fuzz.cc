// ReadFacts, CutTag and the estimate, over any valid body.
#include <string>
#include <string_view>

#include "proxy/core/request_facts.h"
#include "proxy/core/router.h"
#include "proxy/core/token_estimate.h"
#include "tests/fuzz/fuzz.h"

namespace ccr::proxy {
namespace {

using fuzz::Require;

// Without the tag the body is valid, and shorter by the tag only; nothing else that was found changes.
void CheckCut(std::string_view body, const BodyScan& scan, const RequestFacts& facts) {
  const SubagentTag& tag = *facts.subagent;
  Require(!tag.model.empty() && tag.begin < tag.end && tag.end < body.size());
  std::string cut;
  for (const std::string_view piece : CutTag(body, {body}, tag)) cut += piece;
  Require(cut == std::string(body.substr(0, tag.begin)) + std::string(body.substr(tag.end)));
  const BodyScan after = ScanBody(cut);
  Require(after.valid && after.model == scan.model && after.stream == scan.stream && after.session == scan.session);
  const RequestFacts rest = ReadFacts(cut, after, true);
  Require(rest.thinking == facts.thinking && rest.web_search == facts.web_search && rest.image == facts.image);
}

void CheckFacts(std::string_view body, const BodyScan& scan) {
  const RequestFacts facts = ReadFacts(body, scan, true);
  const RequestFacts uncounted = ReadFacts(body, scan, false);
  Require(uncounted.tokens == 0 && uncounted.thinking == facts.thinking && uncounted.web_search == facts.web_search);
  Require(uncounted.image == facts.image && uncounted.subagent.has_value() == facts.subagent.has_value());
  Require(facts.tokens <= 1500 * body.size());
  if (facts.subagent) CheckCut(body, scan, facts);
}

}  // namespace
}  // namespace ccr::proxy

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ccr::proxy;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const BodyScan scan = ScanBody(text);
  if (scan.valid) CheckFacts(text, scan);
  TokenMeter meter;
  meter.AddJson(text);
  Require(meter.tokens() <= 3 * size + 1 && EstimateTokens(text) <= 3 * size + 1);
  return 0;
}

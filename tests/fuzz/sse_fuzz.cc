// SseParser against a reading of the whole text at once, in pieces of any size.
#include <string>
#include <utility>
#include <vector>

#include "proxy/formats/sse.h"
#include "tests/fuzz/fuzz.h"

namespace ccr::fuzz {
namespace {

using Events = std::vector<std::pair<std::string, std::string>>;

std::string WithLineFeeds(std::string_view text) {
  std::string lines;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n' && i > 0 && text[i - 1] == '\r') continue;
    lines += text[i] == '\r' ? '\n' : text[i];
  }
  if (lines.starts_with("\xEF\xBB\xBF")) lines.erase(0, 3);
  return lines;
}

// What the format's specification says of a text, and that an end without a blank line is an end.
Events Expected(std::string_view text) {
  std::string rest = WithLineFeeds(text) + "\n\n";
  Events events;
  std::string type, data;
  while (!rest.empty()) {
    const std::string line = rest.substr(0, rest.find('\n'));
    rest.erase(0, line.size() + 1);
    const size_t colon = line.find(':');
    const std::string field = line.substr(0, colon);
    std::string value = colon == line.npos ? "" : line.substr(colon + 1);
    if (value.starts_with(' ')) value.erase(0, 1);
    if (field == "event") type = value;
    if (field == "data") data += value + "\n";
    if (!line.empty()) continue;
    if (!data.empty()) events.emplace_back(type, data.substr(0, data.size() - 1));
    type.clear();
    data.clear();
  }
  return events;
}

struct Reading {
  Events events;
  bool fits = true;
  bool operator==(const Reading& other) const { return events == other.events && fits == other.fits; }
};

Reading Read(std::string_view text, size_t step, size_t limit) {
  Reading reading;
  proxy::SseParser parser(limit);
  const auto sink = [&](const proxy::SseEvent& event) { reading.events.emplace_back(event.type, event.data); };
  InPieces(text, step, [&](std::string_view piece) { reading.fits = parser.Feed(piece, sink); });
  parser.Finish(sink);
  return reading;
}

}  // namespace
}  // namespace ccr::fuzz

// The choice is the size of the pieces and the limit of an event.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ccr::fuzz;
  const Input input(data, size);
  const size_t step = input.choice % 16 + 1U;
  const Reading whole = Read(input.text, input.text.size() + 1, input.text.size() + 1);
  Require(whole.fits && whole.events == Expected(input.text), "the events are others");
  Require(whole == Read(input.text, step, input.text.size() + 1), "pieces make a difference");
  const size_t limit = input.choice;
  const Reading limited = Read(input.text, input.text.size() + 1, limit);
  Require(limited == Read(input.text, step, limit) && limited == Read(input.text, 1, limit), "pieces move the limit");
  for (const auto& event : limited.events) Require(event.second.size() <= limit + 1, "an event over the limit");
  return 0;
}

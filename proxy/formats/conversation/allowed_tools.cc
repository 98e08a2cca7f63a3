#include "proxy/formats/conversation/allowed_tools.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "proxy/formats/json_util.h"

namespace ccr::proxy::fit {

void KeepAllowedTools(ModelRequest* request, Notes* notes) {
  using Kind = ToolChoice::Kind;
  const std::vector<std::string> names = std::exchange(request->tool_choice.allowed, {});
  const bool chooses = request->tool_choice.kind == Kind::kAuto || request->tool_choice.kind == Kind::kAny;
  if (names.empty() || !chooses) return;
  const absl::flat_hash_set<std::string_view> allowed(names.begin(), names.end());
  // Tools of a provider's own are named by their type too.
  const auto is_allowed = [&allowed](const Tool& tool) {
    const bool named = tool.kind == Tool::Kind::kFunction || tool.kind == Tool::Kind::kCustom;
    return allowed.contains(tool.name) || (!named && allowed.contains(FindText(tool.own, "type")));
  };
  std::vector<Tool>& tools = request->tools;
  const bool some = std::any_of(tools.begin(), tools.end(), [&is_allowed](const Tool& tool) {
    return tool.kind != Tool::Kind::kOther && is_allowed(tool);
  });
  if (!some) return AddNote(notes, "tool_choice.allowed_tools: dropped, it names none of the tools");
  const auto rest = std::stable_partition(tools.begin(), tools.end(), is_allowed);
  if (rest == tools.end()) return;
  tools.erase(rest, tools.end());
  AddNote(notes, "tools: only the allowed ones are sent");
}

}  // namespace ccr::proxy::fit

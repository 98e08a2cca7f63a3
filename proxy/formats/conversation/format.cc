#include "proxy/formats/conversation/format.h"

namespace ccr::proxy {

void AddTools(const ModelRequest& request, AnswerContext* context) {
  for (const Tool& tool : request.tools) {
    if (tool.kind == Tool::Kind::kCustom) context->custom_tools.push_back(tool.name);
    if (!tool.group.empty())
      context->grouped_tools.insert_or_assign(tool.name, GroupedName{tool.group, tool.name_in_group});
  }
}

}  // namespace ccr::proxy

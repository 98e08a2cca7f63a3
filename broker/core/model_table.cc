#include "broker/core/model_table.h"

#include "absl/strings/string_view.h"

namespace ccr::core {

ModelId ModelTable::Of(std::string_view name) {
  if (name.empty()) return kAnyModel;
  const auto it = ids_.find(absl::string_view(name.data(), name.size()));
  if (it != ids_.end()) return it->second;
  if (names_.size() > kMaxModels) return kAnyModel;
  const ModelId model = size();
  names_.emplace_back(name);
  ids_.emplace(name, model);
  return model;
}

const std::string& ModelTable::NameOf(ModelId model) const {
  return names_[model < names_.size() ? model : kAnyModel];
}

}  // namespace ccr::core

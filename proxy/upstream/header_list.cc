#include "proxy/upstream/header_list.h"

namespace ccr::proxy {
void HeaderList::Add(std::string_view name, std::string_view prefix, std::string_view value) {
  starts_.push_back(text_.size());
  Append(name);
  if (prefix.empty() && value.empty()) {
    Append(";");  // how curl spells a header without a value
  } else {
    Append(": ");
    Append(prefix);
    Append(value);
  }
  EndLine();
}

void HeaderList::Suppress(std::string_view name) {
  starts_.push_back(text_.size());
  Append(name);
  Append(":");
  EndLine();
}

curl_slist* HeaderList::Get() {
  nodes_.resize(starts_.size());
  for (size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i] = {text_.data() + starts_[i], i + 1 < nodes_.size() ? &nodes_[i + 1] : nullptr};
  }
  return nodes_.empty() ? nullptr : nodes_.data();
}

void HeaderList::Clear() {
  text_.Clear();
  starts_.clear();
  nodes_.clear();
  broken_ = false;
}

void HeaderList::Append(std::string_view text) {
  broken_ = broken_ || HoldsLineBreak(text);
  text_.Append(text);
}

void HeaderList::EndLine() {
  text_.Append({"\0", 1});
}

}  // namespace ccr::proxy

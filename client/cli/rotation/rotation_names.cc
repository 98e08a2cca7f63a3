#include <algorithm>
#include <cctype>
#include <string_view>

#include "client/cli/rotation/rotation_view.h"

namespace ccr::cli {
namespace {

namespace v1 = ::ccr::broker::v1;

// `name` without `prefix`, in lower case.
std::string Lower(const std::string& name, std::string_view prefix) {
  std::string text = name.compare(0, prefix.size(), prefix) == 0 ? name.substr(prefix.size()) : name;
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text.empty() ? "unknown" : text;  // a newer broker's value
}

}  // namespace

std::string StateName(v1::KeyState state) {
  return Lower(v1::KeyState_Name(state), "KEY_STATE_");
}

std::string CircuitName(v1::CircuitStatus::State state) {
  return state == v1::CircuitStatus::STATE_UNSPECIFIED ? "closed" : Lower(v1::CircuitStatus::State_Name(state), "");
}

std::string OutcomeName(v1::Outcome outcome) {
  return Lower(v1::Outcome_Name(outcome), "OUTCOME_");
}

std::string EventName(v1::Event::Type type) {
  return Lower(v1::Event::Type_Name(type), "TYPE_");
}

}  // namespace ccr::cli

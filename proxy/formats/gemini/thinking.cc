#include "proxy/formats/gemini/thinking.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "proxy/formats/gemini/object_text.h"

namespace ccr::proxy::gemini {
namespace {

constexpr uint64_t kLowBudget = 1024;
constexpr uint64_t kMediumBudget = 8192;
constexpr uint64_t kHighBudget = 24576;
constexpr uint64_t kLeastOfPro = 128;

bool IsPro(std::string_view model) {
  return model.find("-pro") != model.npos;
}

uint64_t BudgetOf(std::string_view effort, std::string_view model) {
  if (effort == "none") return IsPro(model) ? kLeastOfPro : 0;
  if (effort == "minimal" || effort == "low") return kLowBudget;
  return effort == "medium" ? kMediumBudget : kHighBudget;
}

std::string_view LevelOf(std::string_view effort, std::string_view model) {
  if (effort == "none" || effort == "minimal") return IsPro(model) ? "low" : "minimal";
  if (effort == "low") return "low";
  return effort == "medium" && model.find("gemini-3-pro") == model.npos ? "medium" : "high";
}

// "none" where it is off; empty where nothing is said.
std::string_view EffortOf(const Reasoning& reasoning) {
  if (reasoning.mode == Reasoning::Mode::kOff) return "none";
  if (!reasoning.effort.empty()) return reasoning.effort;
  if (reasoning.mode == Reasoning::Mode::kAdaptive) return "medium";
  if (reasoning.mode != Reasoning::Mode::kBudget) return {};
  const uint64_t budget = reasoning.budget.value_or(0);
  return budget <= kLowBudget ? "low" : budget <= kMediumBudget ? "medium" : "high";
}

// What a client of Gemini's said in tokens; nothing where it said it in levels.
std::string OwnBudget(const Reasoning& reasoning) {
  if (reasoning.mode == Reasoning::Mode::kAdaptive) return "-1";
  if (reasoning.mode == Reasoning::Mode::kBudget) return std::to_string(reasoning.budget.value_or(0));
  return reasoning.mode == Reasoning::Mode::kOff ? "0" : "";
}

}  // namespace

ThinkingKind ThinkingOf(std::string_view model) {
  constexpr std::string_view kFamily = "gemini-";
  const size_t at = model.find(kFamily);
  if (at == model.npos || model.find("-tts") != model.npos || model.find("-image") != model.npos)
    return ThinkingKind::kNone;
  const std::string_view version = model.substr(at + kFamily.size());
  const auto digit = [&version](size_t i) {
    return i < version.size() && absl::ascii_isdigit(static_cast<unsigned char>(version[i]));
  };
  if (!digit(0)) return version.ends_with("-latest") ? ThinkingKind::kLevel : ThinkingKind::kNone;
  if (digit(1) || version[0] >= '3') return ThinkingKind::kLevel;
  return version.starts_with("2.5") ? ThinkingKind::kBudget : ThinkingKind::kNone;
}

std::string ThinkingConfig(const Reasoning& reasoning, std::string_view model, bool gemini_client) {
  const ThinkingKind kind = ThinkingOf(model);
  const std::string own = gemini_client ? OwnBudget(reasoning) : std::string();
  const std::string_view effort = EffortOf(reasoning);
  const bool shown = gemini_client ? reasoning.include_text : effort != "none";
  if ((kind == ThinkingKind::kNone && !gemini_client) || (effort.empty() && !(gemini_client && shown))) return {};
  std::string text;
  ObjectText config(&text);
  config.Flag("includeThoughts", shown);
  if (!own.empty()) {
    config.Name("thinkingBudget")->append(own);
  } else if (effort.empty()) {
    // The model's own default.
  } else if (kind == ThinkingKind::kBudget) {
    config.Count("thinkingBudget", BudgetOf(effort, model));
  } else {
    config.Text("thinkingLevel", LevelOf(effort, model));
  }
  config.Close();
  return text;
}

}  // namespace ccr::proxy::gemini

#include "broker/config/rules_reader.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/config/node_json.h"

namespace ccr {
namespace {

constexpr Range kMaxOutput = {0, 1e9};
constexpr size_t kMaxPatterns = 1000;
constexpr size_t kMaxListed = 100;
constexpr size_t kMaxNameSize = 128;
const char* const kEveryModel = "*";

// What only the request's own fields are: without them there is no request.
bool IsNeeded(std::string_view name) {
  return name == "model" || name == "messages" || name == "input" || name == "contents" || name == "stream";
}

void CheckDropped(const std::vector<std::string>& names, const Place& place, ProblemList* problems) {
  for (const std::string& name : names) {
    if (IsNeeded(name)) problems->Error(place, absl::StrCat("must not name ", name, ": no request goes without it"));
  }
}

void ReadNames(MapReader* fields, const char* name, std::optional<std::vector<std::string>>* out) {
  if (fields->Find(name) == nullptr) return;
  std::vector<std::string> names;
  if (!fields->TextList(name, &names)) return;
  const Place place = fields->At(name);
  const auto is_odd = [](const std::string& item) { return item.empty() || item.size() > kMaxNameSize; };
  if (names.size() > kMaxListed || std::any_of(names.begin(), names.end(), is_odd)) {
    fields->Problems().Error(place,
                             absl::StrCat("must be at most ", kMaxListed, " names of 1 to ", kMaxNameSize, " bytes"));
    return;
  }
  *out = std::move(names);
}

// One rule; `name` is a literal.
struct RuleReader {
  MapReader* fields;
  const RuleField& field;
  RulesConfig* out;

  const char* Name() const { return field.name.data(); }
  bool IsGiven() const { return fields->Find(Name()) != nullptr; }

  void operator()(RuleField::Member<bool> member) const {
    bool value = false;
    const size_t before = fields->Problems().size();
    fields->Flag(Name(), &value);
    if (IsGiven() && fields->Problems().size() == before) out->*member = value;
  }
  void operator()(RuleField::Member<uint64_t> member) const {
    uint64_t value = 0;
    const size_t before = fields->Problems().size();
    fields->Whole(Name(), kMaxOutput, &value);
    if (IsGiven() && fields->Problems().size() == before) out->*member = value;
  }
  void operator()(RuleField::Member<std::string> member) const {
    if (!IsGiven()) return;
    std::string value;
    fields->OneOf(Name(), field.words, &value);
    if (!value.empty()) out->*member = std::move(value);
  }
  void operator()(RuleField::Member<std::vector<std::string>> member) const {
    ReadNames(fields, Name(), &(out->*member));
  }
};

RulesConfig ReadRuleFields(MapReader* fields) {
  RulesConfig rules;
  for (const RuleField& field : RuleFields()) std::visit(RuleReader{fields, field, &rules}, field.member);
  if (rules.drop) CheckDropped(*rules.drop, fields->At("drop"), &fields->Problems());
  return rules;
}

// The patterns of a map by model, each with what it stands for; empty after a mistake.
const std::vector<Node::Entry>& Patterns(MapReader* holder, const char* name) {
  static const auto* const none = new std::vector<Node::Entry>();
  const Node* map = holder->Find(name);
  if (map == nullptr) return *none;
  if (map->entries.size() <= kMaxPatterns) return map->entries;
  holder->Problems().Error(holder->At(name), absl::StrCat("holds more than ", kMaxPatterns, " patterns"));
  return *none;
}

void ReadModelRules(MapReader* rules, std::vector<ModelRulesConfig>* out) {
  std::optional<MapReader> models = rules->Map("models");
  if (!models) return;
  for (const Node::Entry& entry : Patterns(rules, "models")) {
    if (entry.name.empty())
      models->Problems().Error(models->Here(), "the pattern of a model is empty: write \"*\" for all");
    std::optional<MapReader> own = models->Map(entry.name.c_str());
    if (!own) continue;
    out->push_back({{entry.name}, ReadRuleFields(&*own)});
    own->DoneExactly();
  }
}

void AddDrop(MapReader* fields, const char* name, const std::string& pattern, std::vector<ModelRulesConfig>* out) {
  std::optional<std::vector<std::string>> names;
  ReadNames(fields, name, &names);
  if (!names) return;
  CheckDropped(*names, fields->At(name), &fields->Problems());
  out->push_back({{pattern}, {.also_drop = *std::move(names)}});
}

void ReadDrop(MapReader* provider, std::vector<ModelRulesConfig>* out) {
  const Node* node = provider->Find("drop");
  if (node == nullptr || node->kind != Node::Kind::kMap) return AddDrop(provider, "drop", kEveryModel, out);
  std::optional<MapReader> models = provider->Map("drop");
  for (const Node::Entry& entry : Patterns(provider, "drop")) AddDrop(&*models, entry.name.c_str(), entry.name, out);
}

}  // namespace

void ReadRules(MapReader* provider, std::vector<ModelRulesConfig>* out) {
  if (std::optional<MapReader> rules = provider->Map("rules")) {
    out->push_back({{kEveryModel}, ReadRuleFields(&*rules)});
    ReadModelRules(&*rules, out);
    rules->DoneExactly();
  }
  ReadDrop(provider, out);
}

std::string DescribeRulesOf(const ProviderConfig& provider) {
  // Names a model that no pattern is made for: what is told of it is what holds for those that are not listed.
  const RulesConfig all = RulesFor(provider.rules, "");
  std::string models;
  for (const std::string& model : provider.models) {
    const std::string own = DescribeRules(RulesFor(provider.rules, model), all);
    if (own != "{}") absl::StrAppend(&models, models.empty() ? "" : ", ", JsonText(model), ": ", own);
  }
  std::string text = DescribeRules(all);
  if (models.empty()) return text;
  text.pop_back();
  return absl::StrCat(text, text.size() > 1 ? ", " : "", "\"models\": {", models, "}}");
}

}  // namespace ccr

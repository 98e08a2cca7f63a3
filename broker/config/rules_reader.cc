#include "broker/config/rules_reader.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/base/closest_name.h"
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
    if (!field.words.empty() && out->*member) WarnUnknown(*(out->*member));
  }

  // A provider may know more than we do.
  void WarnUnknown(const std::vector<std::string>& names) const {
    for (size_t i = 0; i < names.size(); ++i) {
      if (std::find(field.words.begin(), field.words.end(), names[i]) != field.words.end()) continue;
      const std::string_view closest = ClosestName(names[i], field.words);
      const std::string hint = closest.empty() ? "" : absl::StrCat("; did you mean ", ToAbsl(closest), "?");
      fields->Problems().Warn(fields->At(Name()).Item(i, fields->Find(Name())->items[i].line),
                              absl::StrCat("is not known: use ", JoinNames(field.words), hint));
    }
  }
};

RulesConfig ReadRuleFields(MapReader* fields) {
  RulesConfig rules;
  for (const RuleField& field : RuleFields()) std::visit(RuleReader{fields, field, &rules}, field.member);
  if (rules.drop) CheckDropped(*rules.drop, fields->At("drop"), &fields->Problems());
  return rules;
}

bool MatchesAny(const std::string& pattern, const std::vector<std::string>& models) {
  return std::any_of(models.begin(), models.end(),
                     [&pattern](const std::string& model) { return MatchesName(pattern, model); });
}

// "rules.models" or "drop": a map by pattern.
struct PatternMap {
  MapReader reader;
  std::vector<std::string> patterns;  // those that are right, each where it is given last
};

std::optional<PatternMap> ReadPatterns(MapReader* holder, const char* name, const std::vector<std::string>& models) {
  std::optional<MapReader> reader = holder->Map(name);
  if (!reader) return std::nullopt;
  PatternMap map{.reader = *std::move(reader), .patterns = {}};
  ProblemList* problems = &holder->Problems();
  const std::vector<Node::Entry>& entries = holder->Find(name)->entries;
  if (entries.size() > kMaxPatterns) {
    problems->Error(holder->At(name), absl::StrCat("holds more than ", kMaxPatterns, " patterns"));
    return map;
  }
  std::unordered_set<std::string_view> seen;
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    if (!seen.insert(entry->name).second) continue;
    if (entry->name.empty()) {
      problems->Error(holder->At(name), "the pattern of a model is empty: write \"*\" for all");
      continue;
    }
    if (!models.empty() && !MatchesAny(entry->name, models))
      problems->Warn(map.reader.At(entry->name.c_str()), "matches none of the models that the provider lists");
    map.patterns.push_back(entry->name);
  }
  std::reverse(map.patterns.begin(), map.patterns.end());
  return map;
}

void ReadModelRules(MapReader* rules, const std::vector<std::string>& models, std::vector<ModelRulesConfig>* out) {
  std::optional<PatternMap> map = ReadPatterns(rules, "models", models);
  if (!map) return;
  for (const std::string& pattern : map->patterns) {
    std::optional<MapReader> own = map->reader.Map(pattern.c_str());
    if (!own) continue;
    out->push_back({{pattern}, ReadRuleFields(&*own)});
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

void ReadDrop(MapReader* provider, const std::vector<std::string>& models, std::vector<ModelRulesConfig>* out) {
  const Node* node = provider->Find("drop");
  if (node == nullptr || node->kind != Node::Kind::kMap) return AddDrop(provider, "drop", kEveryModel, out);
  std::optional<PatternMap> map = ReadPatterns(provider, "drop", models);
  for (const std::string& pattern : map->patterns) AddDrop(&map->reader, pattern.c_str(), pattern, out);
}

}  // namespace

void ReadRules(MapReader* provider, ProviderConfig* out) {
  if (std::optional<MapReader> rules = provider->Map("rules")) {
    out->rules.push_back({{kEveryModel}, ReadRuleFields(&*rules)});
    ReadModelRules(&*rules, out->models, &out->rules);
    rules->DoneExactly();
  }
  ReadDrop(provider, out->models, &out->rules);
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

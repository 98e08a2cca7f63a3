#include "broker/config/transformer.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "broker/base/closest_name.h"
#include "broker/config/node_json.h"

namespace ccr {
namespace {

constexpr Range kTokens = {1, 1e9};
constexpr Range kPenalty = {0.01, 100};

enum class Kind { kWhole, kDecimal, kFlag };

struct Option {
  std::string_view name;
  Kind kind = Kind::kFlag;
  Range range = {};
  bool required = false;
};

struct Known {
  std::string_view name;
  std::vector<Option> options;
  bool open = false;  // takes any: every option goes into the request's body as it is
};

const std::vector<Known>& Table() {
  static const auto* const table = new std::vector<Known>{
      {"deepseek", {}},
      {"openrouter", {}, true},
      {"tooluse", {}},
      {"gemini", {}},
      {"reasoning", {{"enable", Kind::kFlag}}},
      {"maxtoken", {{"max_tokens", Kind::kWhole, kTokens, true}}},
      {"enhancetool", {}},
      {"groq", {}},
      {"cerebras", {}},
      {"sampling",
       {{"max_tokens", Kind::kWhole, kTokens},
        {"temperature", Kind::kDecimal, {0, 2}},
        {"top_p", Kind::kDecimal, {0, 1}},
        {"top_k", Kind::kWhole, {0, 1e6}},
        {"repetition_penalty", Kind::kDecimal, kPenalty}}},
      {"maxcompletiontokens", {}},
      {"streamoptions", {}},
      {"cleancache", {}},
      {"customparams", {}, true},
      {"Anthropic", {}},
      {"OpenAI", {}},
      {"openai-responses", {}},
      {"extrathinktag", {}},
      {"forcereasoning", {}},
  };
  return *table;
}

const Known* FindKnown(std::string_view name) {
  const auto known = std::find_if(Table().begin(), Table().end(), [name](const Known& k) { return k.name == name; });
  return known == Table().end() ? nullptr : &*known;
}

// Of the names that stand for a format and edit nothing.
std::optional<ProviderFormat> FormatOf(std::string_view name) {
  if (name == "Anthropic") return ProviderFormat::kAnthropic;
  if (name == "OpenAI") return ProviderFormat::kOpenAi;
  if (name == "gemini") return ProviderFormat::kGemini;
  if (name == "openai-responses") return ProviderFormat::kResponses;
  return std::nullopt;
}

void WarnUnknown(std::string_view name, const Place& where, ProblemList* problems) {
  std::vector<std::string_view> names;
  for (const Known& known : Table()) names.push_back(known.name);
  const std::string_view closest = ClosestName(name, names);
  const std::string shown = IsShowable(name) ? absl::StrCat(" '", ToAbsl(name), "'") : "";
  const std::string hint = closest.empty() ? absl::StrCat("; known are ", JoinNames(names))
                                           : absl::StrCat(": did you mean ", ToAbsl(closest), "?");
  problems->Warn(where, absl::StrCat("unknown transformer", shown, ", ignored", hint));
}

// What the proxy sets itself cannot be an option.
void CheckOpen(const Node& options, const Place& place, ProblemList* problems) {
  for (const Node::Entry& entry : options.entries) {
    if (entry.name != "model" && entry.name != "messages" && entry.name != "stream") continue;
    problems->Error(place.Sub(entry.name, entry.line), "is the request's own and cannot be set here: remove it");
  }
}

// Numbers and flags may be text in the file; in `out` they are what they mean.
void ReadOption(const Option& option, MapReader* options, Node* out) {
  const char* const name = option.name.data();  // a literal
  const Node* given = options->Find(name);
  if (given == nullptr) return;
  Node value{.kind = option.kind == Kind::kFlag ? Node::Kind::kBool : Node::Kind::kNumber, .line = given->line};
  if (option.kind == Kind::kWhole) options->Whole(name, option.range, &value.number);
  if (option.kind == Kind::kDecimal) options->Decimal(name, option.range, &value.number);
  if (option.kind == Kind::kFlag) options->Flag(name, &value.boolean);
  out->entries.push_back({.name = std::string(option.name), .line = given->line, .value = std::move(value)});
}

// The options as they take effect.
Node ReadOptions(const Known& known, const Node& node, const Place& place, ProblemList* problems) {
  Node out{.kind = Node::Kind::kMap, .line = node.line};
  if (node.kind != Node::Kind::kMap) {
    problems->Error(place, absl::StrCat("the options of ", ToAbsl(known.name), " must be a map {...}, not ",
                                        ToAbsl(KindName(node.kind))));
    return out;
  }
  MapReader options(node, place, problems);
  if (known.open) {
    CheckOpen(node, place, problems);
    return node;
  }
  for (const Option& option : known.options) {
    ReadOption(option, &options, &out);
    if (option.required && options.Find(option.name.data()) == nullptr)
      problems->Error(options.At(option.name.data()), absl::StrCat(ToAbsl(known.name), " needs this option"));
  }
  options.Done();
  return out;
}

// NAME or [NAME, OPTIONS].
std::optional<TransformerConfig> ReadEntry(MapReader* reader, const Node& item, const Place& where) {
  const bool is_list = item.kind == Node::Kind::kList && !item.items.empty();
  const std::string* name = reader->TextOf(is_list ? item.items[0] : item, where);
  if (name == nullptr) return std::nullopt;
  const Known* known = FindKnown(*name);
  if (known == nullptr) {
    WarnUnknown(*name, where, &reader->Problems());
    return std::nullopt;
  }
  if (is_list && item.items.size() > 2)
    reader->Problems().Warn(where, "holds more than a name and its options: the rest is ignored");
  const bool has_options = is_list && item.items.size() > 1 && item.items[1].kind != Node::Kind::kNull;
  const Node none{.kind = Node::Kind::kMap, .line = item.line};
  const Node& options = has_options ? item.items[1] : none;
  const Place place = has_options ? where.Item(1, options.line) : where;
  return TransformerConfig{*name, ToJson(ReadOptions(*known, options, place, &reader->Problems()))};
}

// The first format that is among them.
std::optional<ProviderFormat> ReadUse(MapReader* holder, std::vector<TransformerConfig>* out) {
  const Node* list = holder->List("use");
  if (list == nullptr) return std::nullopt;
  const Place place = holder->At("use");
  std::optional<ProviderFormat> format;
  for (size_t i = 0; i < list->items.size(); ++i) {
    const Place where = place.Item(i, list->items[i].line);
    std::optional<TransformerConfig> entry = ReadEntry(holder, list->items[i], where);
    if (!entry) continue;
    const std::optional<ProviderFormat> named = FormatOf(entry->name);
    if (!named) out->push_back(*std::move(entry));
    if (!format) format = named;
  }
  return format;
}

// The transformer that stands for it; empty for what a provider speaks without one.
std::string_view NameOf(ProviderFormat format) {
  switch (format) {
    case ProviderFormat::kOpenAi:
      return "";
    case ProviderFormat::kAnthropic:
      return "Anthropic";
    case ProviderFormat::kGemini:
      return "gemini";
    case ProviderFormat::kResponses:
      return "openai-responses";
  }
  return "";
}

bool IsListed(const std::vector<std::string>& models, const std::string& model) {
  return std::any_of(models.begin(), models.end(),
                     [&model](const std::string& listed) { return absl::EqualsIgnoreCase(listed, model); });
}

// Flow YAML, as the rest of DescribeConfig: JSON is YAML too.
std::string DescribeUse(std::string_view format, const std::vector<TransformerConfig>& transformers) {
  std::vector<std::string> entries;
  if (!format.empty()) entries.emplace_back(format);
  for (const TransformerConfig& transformer : transformers) {
    const std::string options = HideSecretTexts(transformer.options);
    entries.push_back(options == "{}" ? transformer.name : absl::StrCat("[", transformer.name, ", ", options, "]"));
  }
  std::string list;
  for (const std::string& entry : entries) absl::StrAppend(&list, list.empty() ? "" : ", ", entry);
  return absl::StrCat("use: [", list, "]");
}

}  // namespace

std::optional<ProviderFormat> ReadTransformers(MapReader* provider, ProviderConfig* out) {
  std::optional<MapReader> transformer = provider->Map("transformer");
  if (!transformer) return std::nullopt;
  const std::optional<ProviderFormat> format = ReadUse(&*transformer, &out->transformers);
  const Node* map = provider->Find("transformer");
  for (const Node::Entry& entry : map->entries) {
    if (entry.name == "use") continue;
    const Place where = transformer->At(entry.name.c_str());
    if (!IsListed(out->models, entry.name)) {
      provider->Problems().Warn(where, "is neither \"use\" nor one of the provider's models: ignored");
    } else if (std::optional<MapReader> own = transformer->Map(entry.name.c_str())) {
      out->model_transformers[entry.name].clear();
      ReadUse(&*own, &out->model_transformers[entry.name]);
    }
  }
  return format;
}

std::string DescribeTransformers(const ProviderConfig& provider) {
  const std::string_view format = NameOf(provider.format);
  if (format.empty() && provider.transformers.empty() && provider.model_transformers.empty()) return "";
  std::string text = DescribeUse(format, provider.transformers);
  for (const auto& [model, transformers] : provider.model_transformers)
    absl::StrAppend(&text, ", ", JsonText(model), ": {", DescribeUse("", transformers), "}");
  return absl::StrCat("{", text, "}");
}

}  // namespace ccr

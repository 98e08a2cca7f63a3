#include "tests/proxy/formats/hard_bodies.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "pairs.h"
#include "proxy/core/evidence/evidence_builder.h"
#include "proxy/core/evidence/no_answer.h"
#include "proxy/core/evidence/stream_opening.h"
#include "proxy/core/evidence/usage_scanner.h"
#include "proxy/core/json/scan.h"
#include "proxy/core/request_facts.h"
#include "proxy/formats/edited_translation.h"
#include "proxy/formats/transformers/json_repair.h"
#include "tests/proxy/formats/hard_forms.h"

namespace ccr::proxy {
namespace {

struct Way {
  std::string name;
  std::function<void(std::string_view body)> run;
};

void Translate(const Translation& translation, std::string_view body) {
  Notes notes;
  const auto request = translation.Request(body, "gemini-3-pro", &notes);
}

void Answer(const Translation& translation, std::string_view body) {
  Notes notes;
  const auto answer = translation.Response(body, &notes);
}

void Stream(const Translation& translation, std::string_view body, size_t step) {
  const auto stream = translation.Stream("", {.include_usage = true});
  std::string out;
  for (size_t at = 0; at < body.size(); at += step) {
    out.clear();
    stream->Feed(body.substr(at, step), &out);
  }
  stream->Finish(false, &out);
}

TransformerChain ChainOf(const std::vector<std::string>& names) {
  Provider provider;
  for (const std::string& name : names) provider.transformers.push_back({name, R"({"max_tokens":9})"});
  return TransformerChain(provider, "m");
}

std::vector<Way> RequestWays(bool anthropic) {
  using Made = std::shared_ptr<const Translation>;
  const Made kept = MakeAnthropicToOpenAi({.keep_reasoning = true, .keep_cache_control = true});
  const Made first = anthropic ? MakeAnthropicToOpenAi() : MakeOpenAiToAnthropic();
  const Made gemini = anthropic ? MakeAnthropicToGemini() : MakeOpenAiToGemini();
  const Made edited = std::make_shared<EditedTranslation>(
      nullptr,
      ChainOf({"deepseek", "openrouter", "groq", "cerebras", "tooluse", "reasoning", "maxtoken", "cleancache"}));
  const auto read = [](std::string_view body) {
    const BodyScan scan = ScanBody(body);
    if (scan.valid) (void)ReadFacts(body, scan, true);
  };
  std::vector<Way> ways = {{"read", read},
                           {anthropic ? "openai" : "anthropic", [first](std::string_view b) { Translate(*first, b); }},
                           {"gemini", [gemini](std::string_view b) { Translate(*gemini, b); }}};
  if (anthropic) ways.push_back({"kept", [kept](std::string_view b) { Translate(*kept, b); }});
  if (!anthropic) ways.push_back({"edited", [edited](std::string_view b) { Translate(*edited, b); }});
  return ways;
}

using StreamFn = std::function<void(const Translation&, std::string_view)>;

// From the upstream's format to those of clients, with transformers where they are OpenAI's.
std::vector<Way> AnswerWays(Format upstream, const StreamFn& run) {
  using Made = std::shared_ptr<const Translation>;
  std::vector<Way> ways;
  const auto add = [&](std::string name, Made made) {
    ways.push_back({std::move(name), [run, made](std::string_view body) { run(*made, body); }});
  };
  if (upstream == Format::kAnthropic) add("openai", MakeOpenAiToAnthropic());
  if (upstream == Format::kGemini) {
    add("openai", MakeOpenAiToGemini());
    add("anthropic", MakeAnthropicToGemini());
  }
  if (upstream != Format::kChat) return ways;
  add("anthropic", MakeAnthropicToOpenAi());
  static const Translation& inner = *MakeAnthropicToOpenAi().release();
  for (const std::string name : {"enhancetool", "tooluse", "openrouter"}) {
    add(name, std::make_shared<EditedTranslation>(nullptr, ChainOf({name})));
  }
  auto all = std::make_shared<EditedTranslation>(&inner, ChainOf({"enhancetool", "tooluse", "openrouter"}));
  all->RestoreTools({{"n", "the_name"}});
  add("all", all);
  return ways;
}

std::vector<Way> OpeningWays() {
  const auto scan = [](UsageScanner::Names names, size_t step) {
    return [names, step](std::string_view body) {
      UsageScanner scanner(UsageScanner::Body::kEventStream, names);
      for (size_t at = 0; at < body.size(); at += step) scanner.Feed(body.substr(at, step));
    };
  };
  const auto open = [](size_t step) {
    return [step](std::string_view body) {
      StreamOpening opening;
      for (size_t at = 0; at < body.size(); at += step) opening.Feed(body.substr(at, step));
      opening.Finish();
    };
  };
  return {{"opening", open(16384)},
          {"opening_bytes", open(1)},
          {"document", [](std::string_view body) { (void)FindNoAnswer(body, "choices"); }},
          {"evidence", [](std::string_view body) { (void)FromResponse(400, {}, body, absl::UnixEpoch()); }},
          {"usage", scan(UsageScanner::Names::kSnakeCase, 16384)},
          {"usage_bytes", scan(UsageScanner::Names::kSnakeCase, 1)},
          {"gemini_usage", scan(UsageScanner::Names::kGemini, 16384)}};
}

void Add(const std::string& kind, const std::vector<Form>& forms, const std::vector<Way>& ways,
         std::vector<HardWork>* all) {
  for (const Form& form : forms) {
    for (const Way& way : ways) all->push_back({kind + "_" + form.name + "/" + way.name, form.text, way.run});
  }
}

// The items of one mark.
void AppendMany(std::string_view item, std::string_view separator, size_t bytes, std::string* out) {
  const size_t count = std::max<size_t>(bytes / (item.size() + separator.size()), 1);
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) *out += separator;
    for (const char c : item) {
      if (c == '#') {
        *out += std::to_string(i);
      } else if (c == '~') {
        *out += std::to_string(count - 1 - i);
      } else {
        *out += c;
      }
    }
  }
}

}  // namespace

std::string HardWork::Body(size_t bytes) const {
  size_t marks = 0;
  for (size_t at = form.find('<'); at != form.npos; at = form.find('<', at + 1)) {
    marks += form[at + 1] == '<' || form[at + 1] == '|' ? 1 : 0;
  }
  std::string body;
  std::string_view rest = form;
  for (; marks > 0; --marks) {
    const size_t begin = std::min(rest.find("<<"), rest.find("<|"));
    const bool list = rest[begin + 1] == '<';
    const size_t end = rest.find(list ? ">>" : "|>", begin);
    body += rest.substr(0, begin);
    AppendMany(rest.substr(begin + 2, end - begin - 2), list ? "," : "", (bytes - body.size()) / marks, &body);
    rest.remove_prefix(end + 2);
  }
  return body.append(rest);
}

std::vector<HardWork> AllHardWork() {
  const auto stream = [](size_t step) {
    return [step](const Translation& translation, std::string_view body) { Stream(translation, body, step); };
  };
  const Way repair = {"repair", [](std::string_view body) {
                        JsonBudget budget;
                        (void)RepairArguments(body, &budget);
                      }};
  std::vector<HardWork> all;
  Add("anthropic_request", AnthropicRequests(), RequestWays(true), &all);
  Add("openai_request", OpenAiRequests(), RequestWays(false), &all);
  Add("openai_answer", OpenAiAnswers(), AnswerWays(Format::kChat, Answer), &all);
  Add("anthropic_answer", AnthropicAnswers(), AnswerWays(Format::kAnthropic, Answer), &all);
  Add("gemini_answer", GeminiAnswers(), AnswerWays(Format::kGemini, Answer), &all);
  Add("openai_stream", OpenAiStreams(), AnswerWays(Format::kChat, stream(16384)), &all);
  Add("openai_bytes", OpenAiFewStreams(), AnswerWays(Format::kChat, stream(1)), &all);
  Add("anthropic_stream", AnthropicStreams(), AnswerWays(Format::kAnthropic, stream(16384)), &all);
  Add("gemini_stream", GeminiStreams(), AnswerWays(Format::kGemini, stream(16384)), &all);
  Add("arguments", Arguments(), {repair}, &all);
  Add("opening", Openings(), OpeningWays(), &all);
  return all;
}

}  // namespace ccr::proxy

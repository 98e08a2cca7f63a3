#include "proxy/formats/responses/request_writer.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "broker/base/absl_text.h"
#include "proxy/core/json/cursor.h"
#include "proxy/formats/responses/input_writer.h"
#include "proxy/formats/responses/tools_writer.h"
#include "proxy/formats/responses/writing.h"

namespace ccr::proxy::responses {
namespace {

constexpr uint64_t kLeastOutput = 16;
constexpr size_t kMaxUser = 64;

class RequestWriter {
 public:
  RequestWriter(const ModelRequest& request, Notes* notes)
      : same_(request.origin == Format::kResponses), request_(request), notes_(notes) {}

  WrittenRequest Write(std::string_view model) &&;

 private:
  void WriteReasoning();
  void WriteText();
  void WriteFormat();
  void WriteSampling();
  void WriteUser();
  void WriteInclude();
  void WriteStored();
  void WriteExtra();
  void NoteDropped();
  void Number(std::string_view name, std::optional<double> value);
  const json::object* Own(std::string_view member) const;

  const bool same_;
  const ModelRequest& request_;
  Notes* const notes_;
  WrittenRequest written_;
  std::string& out_ = written_.body;
};

WrittenRequest RequestWriter::Write(std::string_view model) && {
  out_ = R"({"model":)";
  AppendJsonString(model, &out_);
  InputWriter(request_, &written_.tool_names, notes_, &out_).Write();
  WriteTools(request_, &written_.tool_names, notes_, &out_);
  WriteReasoning();
  WriteText();
  WriteSampling();
  WriteUser();
  WriteInclude();
  WriteStored();
  if (request_.stream) out_ += ",\"stream\":true";
  if (same_) {
    AppendOthers(request_.own, {"reasoning", "text", "include", "tool_choice", "store", "safety_identifier"}, &out_);
  }
  WriteExtra();
  out_ += '}';
  NoteDropped();
  if (!written_.tool_names.empty()) AddNote(notes_, "tools: names longer than 64 bytes shortened");
  return std::move(written_);
}

void RequestWriter::WriteReasoning() {
  const Reasoning& reasoning = request_.reasoning;
  const bool off = reasoning.mode == Reasoning::Mode::kOff;
  const std::string_view effort = off ? std::string_view("none") : std::string_view(reasoning.effort);
  std::string_view summary = reasoning.summary;
  if (summary.empty() && reasoning.include_text) summary = "auto";
  if (off && !same_) summary = "";
  const json::object* own = Own("reasoning");
  if (effort.empty() && summary.empty() && own == nullptr) return;
  std::string members;
  if (!effort.empty()) AppendMember("effort", effort, &members);
  if (!summary.empty()) AppendMember("summary", summary, &members);
  if (own != nullptr) AppendOthers(*own, {}, &members);
  absl::StrAppend(&out_, ",\"reasoning\":{", members.substr(1), "}");
}

void RequestWriter::WriteText() {
  const json::object* own = Own("text");
  const bool formatted = request_.output.kind != OutputFormat::Kind::kText;
  if (own == nullptr && !formatted) return;
  out_ += ",\"text\":{";
  const size_t begin = out_.size();
  if (formatted) WriteFormat();
  if (own != nullptr) AppendOthers(*own, {}, &out_);
  out_.erase(begin, 1);  // the comma
  out_ += '}';
}

void RequestWriter::WriteFormat() {
  const OutputFormat& output = request_.output;
  if (output.kind == OutputFormat::Kind::kJson) {
    out_ += R"(,"format":{"type":"json_object"})";
    return;
  }
  out_ += R"(,"format":{"type":"json_schema")";
  AppendMember("name", output.name.empty() ? std::string_view("response") : std::string_view(output.name), &out_);
  if (!output.description.empty()) AppendMember("description", output.description, &out_);
  out_ += ",\"schema\":";
  if (output.schema.is_null()) {
    out_ += "{}";
  } else {
    AppendJson(output.schema, &out_);
  }
  if (output.strict) out_.append(",\"strict\":").append(*output.strict ? "true" : "false");
  out_ += '}';
}

void RequestWriter::WriteSampling() {
  if (request_.max_tokens) {
    const uint64_t most = std::max(*request_.max_tokens, kLeastOutput);
    if (most != *request_.max_tokens) AddNote(notes_, "max_tokens: raised to 16");
    absl::StrAppend(&out_, ",\"max_output_tokens\":", most);
  }
  Number("temperature", request_.sampling.temperature);
  Number("top_p", request_.sampling.top_p);
}

void RequestWriter::WriteUser() {
  const json::value* safety = same_ ? Find(request_.own, "safety_identifier") : nullptr;
  if (safety != nullptr) {
    out_ += ",\"safety_identifier\":";
    AppendJson(*safety, &out_);
  }
  const bool said = safety != nullptr && safety->is_string() && View(safety->get_string()) == request_.user;
  if (!request_.user.empty() && !said) {
    if (request_.user.size() > kMaxUser) AddNote(notes_, "user: cut to 64 bytes");
    AppendMember("user", Utf8Prefix(request_.user, kMaxUser), &out_);
  }
  if (!request_.cache_key.empty()) AppendMember("prompt_cache_key", request_.cache_key, &out_);
}

// Models that do not reason refuse to be asked for it: only where the client asks for reasoning.
void RequestWriter::WriteInclude() {
  const Reasoning& reasoning = request_.reasoning;
  const bool asked = (!reasoning.effort.empty() && reasoning.effort != "none") ||
                     reasoning.mode == Reasoning::Mode::kAdaptive || reasoning.mode == Reasoning::Mode::kBudget ||
                     reasoning.include_text;
  const bool encrypted = reasoning.include_encrypted || (!same_ && asked && reasoning.mode != Reasoning::Mode::kOff);
  const json::value* own = same_ ? Find(request_.own, "include") : nullptr;
  if (!encrypted && own == nullptr) return;
  out_ += ",\"include\":";
  JsonList include(&out_);
  if (encrypted) include.Next()->append("\"reasoning.encrypted_content\"");
  if (own != nullptr && own->is_array()) {
    for (const json::value& member : own->get_array()) AppendJson(member, include.Next());
  }
  include.Close();
}

void RequestWriter::WriteStored() {
  const json::value* store = same_ ? Find(request_.own, "store") : nullptr;
  out_ += ",\"store\":";
  if (store == nullptr) {
    out_ += "false";
  } else {
    AppendJson(*store, &out_);
  }
}

void RequestWriter::WriteExtra() {
  if (request_.extra.empty()) return;
  absl::flat_hash_set<std::string> names;
  const std::string written = out_ + '}';
  JsonCursor cursor(written);
  cursor.Object([&](std::string_view key) {
    names.insert(DecodeJsonString(key));
    cursor.Read();
  });
  for (const json::key_value_pair& member : request_.extra) {
    const std::string_view key(member.key().data(), member.key().size());
    if (names.contains(ToAbsl(key))) continue;
    out_ += ',';
    AppendJsonString(key, &out_);
    out_ += ':';
    AppendJson(member.value(), &out_);
  }
}

void RequestWriter::NoteDropped() {
  const Sampling& sampling = request_.sampling;
  if (!request_.stop.empty()) AddNote(notes_, "stop: dropped, this format has none");
  if (sampling.top_k) AddNote(notes_, "top_k: dropped");
  if (sampling.seed) AddNote(notes_, "seed: dropped");
  if (sampling.presence_penalty) AddNote(notes_, "presence_penalty: dropped");
  if (sampling.frequency_penalty) AddNote(notes_, "frequency_penalty: dropped");
}

void RequestWriter::Number(std::string_view name, std::optional<double> value) {
  if (!value) return;
  out_.append(",\"").append(name).append("\":");
  AppendJson(json::value(*value), &out_);
}

const json::object* RequestWriter::Own(std::string_view member) const {
  const json::object* own = same_ ? FindObject(request_.own, member) : nullptr;
  return own == nullptr || own->empty() ? nullptr : own;
}

}  // namespace

WrittenRequest WriteRequest(const ModelRequest& request, std::string_view model, Notes* notes) {
  return RequestWriter(request, notes).Write(model);
}

}  // namespace ccr::proxy::responses

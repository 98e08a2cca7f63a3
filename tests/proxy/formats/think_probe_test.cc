#include "proxy/formats/think_probe.h"

#include <gtest/gtest.h>

#include <string>

namespace ccr::proxy {
namespace {

using Verdict = ThinkProbe::Verdict;

std::string DeltaEvent(const std::string& delta) {
  return "data: {\"choices\":[{\"index\":0,\"delta\":" + delta + "}]}\n\n";
}

Verdict VerdictOf(const std::string& stream, size_t step) {
  ThinkProbe probe;
  Verdict verdict = Verdict::kUndecided;
  std::string out;
  size_t fed = 0;
  for (; fed < stream.size() && verdict == Verdict::kUndecided; fed += step)
    verdict = probe.Feed(std::string_view(stream).substr(fed, step), &out);
  EXPECT_EQ(out + probe.TakeHeld(), stream.substr(0, fed)) << "nothing is lost";
  return verdict;
}

TEST(ThinkProbe, DecidesByTheFirstText) {
  const std::string role = DeltaEvent(R"({"role":"assistant","content":""})");
  const struct {
    std::string stream;
    Verdict verdict;
  } rows[] = {
      {role, Verdict::kUndecided},
      {role + ": ping\n\n", Verdict::kUndecided},
      {role + DeltaEvent(R"({"content":"<think>a"})"), Verdict::kThinks},
      {role + DeltaEvent(R"({"content":"\n<thi"})"), Verdict::kUndecided},
      {role + DeltaEvent(R"({"content":"\n<thi"})") + DeltaEvent(R"({"content":"nk>"})"), Verdict::kThinks},
      {role + DeltaEvent(R"({"content":"<thing>"})"), Verdict::kPlain},
      {role + DeltaEvent(R"({"content":"hello <think>"})"), Verdict::kPlain},
      {role + DeltaEvent(R"({"reasoning_content":"r"})"), Verdict::kPlain},
      {role + DeltaEvent(R"({"tool_calls":[{"index":0}]})"), Verdict::kPlain},
      {"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n", Verdict::kPlain},
      {"data: {\"choices\":[]}\n\n", Verdict::kUndecided},
      {"data: [DONE]\n\n", Verdict::kPlain},
      {"data: {\"error\":{}}\n\n", Verdict::kPlain},
      {"data: " + std::string(ThinkProbe::kMaxHeld, 'x'), Verdict::kPlain},
  };
  for (const auto& row : rows)
    for (const size_t step : {size_t{1}, size_t{7}, row.stream.size()})
      EXPECT_EQ(VerdictOf(row.stream, step), row.verdict) << row.stream.substr(0, 200) << " in steps of " << step;
}

TEST(ThinkProbe, OfAWholeAnswer) {
  const auto answer = [](const std::string& message) { return R"({"choices":[{"message":)" + message + "}]}"; };
  EXPECT_TRUE(BeginsWithThinkTag(answer(R"({"content":" \n<think>a</think>b"})")));
  EXPECT_FALSE(BeginsWithThinkTag(answer(R"({"content":"a <think>"})")));
  EXPECT_FALSE(BeginsWithThinkTag(answer(R"({"content":null,"reasoning":"<think>"})")));
  EXPECT_FALSE(BeginsWithThinkTag("<think>"));
  EXPECT_FALSE(BeginsWithThinkTag(""));
}

}  // namespace
}  // namespace ccr::proxy

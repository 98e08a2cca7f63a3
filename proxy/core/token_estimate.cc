#include "proxy/core/token_estimate.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "proxy/core/token_cjk.h"

namespace ccr::proxy {
namespace {

// What a byte is. The classes from kLower to kLetterU are small letters, of which those with a name of their own mean
// something behind a backslash. The classes from kLeadC2 on begin a character of several bytes.
enum Class : unsigned {
  kUpper,
  kDigit,
  kSpace,
  kTab,
  kNewline,
  kUnderscore,
  kRuler,
  kMark,
  kBackslash,
  kContinuation,
  kLower,
  kLetterB,
  kLetterF,
  kLetterN,
  kLetterR,
  kLetterT,
  kLetterU,
  kLeadC2,
  kLeadC3,
  kLeadC4,  // to CD: Latin with rarer accents
  kLeadCE,  // Greek
  kLeadD0,  // Cyrillic
  kLeadD7,  // to DF: Hebrew, Arabic
  kLeadE0,
  kLeadE1,
  kLeadE2,
  kLeadE3,
  kLeadE4,
  kLeadE5,
  kLeadE6,
  kLeadE7,
  kLeadE8,
  kLeadE9,
  kLeadEA,  // to ED: Hangul
  kLeadEE,
  kLeadF0,
  kClasses
};

// What came before. The states of letters count them since the word or its last hump began; a state of the lower half
// plus kEscaped is the same one behind a backslash.
enum State : unsigned {
  kStart,
  kLower1,
  kLower10 = kLower1 + 9,
  kUpper1,
  kUpper4 = kUpper1 + 3,
  kDigit1,
  kDigit3 = kDigit1 + 2,
  kOneSpace,
  kSpaces,
  kLineEnd,
  kAfterUnderscore,
  kRuler1,
  kRulers,
  kMark1,
  kMark3 = kMark1 + 2,
  kAfterHigh,
  kEscaped,
  kHex4 = 2 * kEscaped,  // hexadecimal digits of \uXXXX that are still to come: 4 to 1
  kHex1 = kHex4 + 3,
  kStates
};

enum Column { kToLower, kToUpper, kToDigit, kToSpace, kToTab, kToNewline, kToUnderscore, kToRuler, kToMark, kColumns };

constexpr uint16_t kEscapedCharacterCost = 110;

// Cost of a step in hundredths of a token, by the state and the next byte.
// lower, upper, digit, space, tab, newline, underscore, ruler, mark
constexpr uint16_t kStepCost[kEscaped][kColumns] = {
    {100, 100, 100, 0, 90, 80, 80, 80, 80},      // kStart
    {15, 112, 65, 0, 90, 70, 49, 63, 71},        // kLower1
    {1, 129, 65, 0, 90, 70, 49, 63, 71},         //
    {0, 78, 65, 0, 90, 70, 49, 63, 71},          //
    {15, 59, 65, 0, 90, 70, 49, 63, 71},         //
    {0, 33, 65, 0, 90, 70, 49, 63, 71},          //
    {6, 33, 65, 0, 90, 70, 49, 63, 71},          //
    {0, 33, 65, 0, 90, 70, 49, 63, 71},          //
    {15, 33, 65, 0, 90, 70, 49, 63, 71},         //
    {4, 33, 65, 0, 90, 70, 49, 63, 71},          //
    {13, 33, 65, 0, 90, 70, 49, 63, 71},         // kLower10
    {26, 0, 65, 0, 90, 70, 49, 63, 71},          // kUpper1
    {166, 21, 65, 0, 90, 70, 49, 63, 71},        //
    {188, 48, 65, 0, 90, 70, 49, 63, 71},        //
    {174, 16, 65, 0, 90, 70, 49, 63, 71},        // kUpper4
    {146, 200, 9, 0, 90, 108, 83, 130, 113},     // kDigit1
    {118, 189, 0, 0, 90, 106, 108, 106, 82},     //
    {129, 104, 92, 0, 90, 120, 116, 106, 95},    // kDigit3
    {85, 87, 199, 169, 200, 129, 130, 93, 102},  // kOneSpace
    {41, 76, 200, 0, 19, 0, 100, 66, 39},        // kSpaces
    {75, 42, 63, 0, 150, 42, 150, 86, 57},       // kLineEnd
    {31, 4, 43, 0, 90, 43, 0, 28, 0},            // kAfterUnderscore
    {46, 72, 81, 0, 100, 9, 87, 31, 37},         // kRuler1
    {53, 0, 60, 0, 90, 100, 95, 3, 89},          // kRulers
    {72, 104, 102, 0, 150, 0, 62, 46, 11},       // kMark1
    {105, 101, 86, 0, 150, 0, 150, 84, 3},       //
    {137, 60, 150, 0, 150, 0, 150, 120, 4},      // kMark3
    {109, 150, 61, 0, 120, 89, 86, 104, 130},    // kAfterHigh
};

// Cost of a character of several bytes, by its lead byte's class. Chinese ones (E4 to E9) are put right afterwards.
constexpr uint16_t kLeadCost[kClasses - kLeadC2] = {48,  102, 182, 106, 51,  120, 120, 60,  85, 89,
                                                    100, 100, 100, 100, 100, 100, 112, 109, 285};

constexpr Class LetterClass(char c) {
  switch (c) {
    case 'b':
      return kLetterB;
    case 'f':
      return kLetterF;
    case 'n':
      return kLetterN;
    case 'r':
      return kLetterR;
    case 't':
      return kLetterT;
    case 'u':
      return kLetterU;
    default:
      return kLower;
  }
}

constexpr Class AsciiClass(char c) {
  if (c >= 'a' && c <= 'z') return LetterClass(c);
  if (c >= 'A' && c <= 'Z') return kUpper;
  if (c >= '0' && c <= '9') return kDigit;
  switch (c) {
    case ' ':
      return kSpace;
    case '\t':
      return kTab;
    case '\n':
    case '\r':
      return kNewline;
    case '_':
      return kUnderscore;
    case '\\':
      return kBackslash;
    default:
      return std::string_view("-=*#~.").find(c) == std::string_view::npos ? kMark : kRuler;
  }
}

constexpr Class ClassOf(unsigned byte) {
  if (byte < 0x80) return AsciiClass(static_cast<char>(byte));
  if (byte < 0xC0) return kContinuation;
  if (byte < 0xC4) return byte < 0xC3 ? kLeadC2 : kLeadC3;
  if (byte < 0xD0) return byte < 0xCE ? kLeadC4 : kLeadCE;
  if (byte < 0xE0) return byte < 0xD4 ? kLeadD0 : kLeadD7;
  if (byte < 0xEA) return static_cast<Class>(kLeadE0 + (byte - 0xE0));
  if (byte < 0xF0) return byte < 0xEE ? kLeadEA : kLeadEE;
  return kLeadF0;
}

constexpr bool IsLower(unsigned c) {
  return c >= kLower && c <= kLetterU;
}

constexpr Column ColumnOf(unsigned c) {
  return IsLower(c) ? kToLower : static_cast<Column>(c + kToUpper);
}

// The class of what backslash and a byte of class `c` stand for.
constexpr unsigned Unescaped(unsigned c) {
  if (c == kLetterN || c == kLetterR) return kNewline;
  return c == kLetterT ? kTab : kMark;
}

constexpr unsigned Count(unsigned state, unsigned first, unsigned last) {
  return state < first || state > last ? first : std::min(state + 1, last);
}

constexpr unsigned NextBase(unsigned s, unsigned c) {
  if (IsLower(c)) return s >= kUpper1 && s <= kUpper4 ? kLower1 + 1U : Count(s, kLower1, kLower10);
  switch (c) {
    case kUpper:
      return Count(s, kUpper1, kUpper4);
    case kDigit:
      return s == kDigit3 ? kDigit1 : Count(s, kDigit1, kDigit3);
    case kSpace:
      return s == kOneSpace || s == kSpaces ? kSpaces : kOneSpace;
    case kTab:
      return kSpaces;
    case kNewline:
      return kLineEnd;
    case kUnderscore:
      return kAfterUnderscore;
    case kRuler:
      return Count(s, kRuler1, kRulers);
    case kMark:
      return s >= kAfterUnderscore && s <= kRulers ? kMark1 + 1U : Count(s, kMark1, kMark3);
    default:
      return kAfterHigh;
  }
}

// A step as the table holds it: the next state's row in the low half, the cost in the high half.
constexpr uint32_t Step(unsigned next, unsigned cost) {
  return next * kClasses | cost << 16;
}

constexpr uint32_t BaseStep(unsigned s, unsigned c) {
  if (c == kBackslash) return Step(s + kEscaped, 0);
  if (c == kContinuation) return Step(kAfterHigh, 0);
  return Step(NextBase(s, c), c >= kLeadC2 ? kLeadCost[c - kLeadC2] : kStepCost[s][ColumnOf(c)]);
}

constexpr uint32_t StepOf(unsigned s, unsigned c) {
  if (s < kEscaped) return BaseStep(s, c);
  if (s >= kHex4) return Step(s == kHex1 ? kAfterHigh : s + 1, 0);
  return c == kLetterU ? Step(kHex4, kEscapedCharacterCost) : BaseStep(s - kEscaped, Unescaped(c));
}

constexpr auto kSteps = [] {
  std::array<uint32_t, size_t{kStates} * kClasses> steps{};
  for (unsigned i = 0; i < steps.size(); ++i) steps[i] = StepOf(i / kClasses, i % kClasses);
  return steps;
}();

constexpr auto kJsonClasses = [] {
  std::array<uint8_t, 256> classes{};
  for (unsigned i = 0; i < classes.size(); ++i) classes[i] = static_cast<uint8_t>(ClassOf(i));
  return classes;
}();

constexpr auto kTextClasses = [] {
  auto classes = kJsonClasses;
  classes['\\'] = kMark;
  return classes;
}();

// A step waits for the one before it, so a long text is walked over at four places at a time.
constexpr size_t kLanes = 4;
constexpr size_t kMinLane = 128;
constexpr size_t kWarmUp = 16;  // bytes that tell in which state a lane begins

uint64_t Walk(std::string_view bytes, const uint8_t* classes, uint32_t* row) {
  uint64_t cost = 0;
  for (const char c : bytes) {
    const uint32_t step = kSteps[*row + classes[static_cast<uint8_t>(c)]];
    cost += step >> 16;
    *row = step & 0xFFFF;
  }
  return cost;
}

uint64_t WalkLanes(const char* begin, size_t lane, const uint8_t* classes, uint32_t* row) {
  std::array<uint32_t, kLanes> rows{*row};
  for (size_t k = 1; k < kLanes; ++k) Walk({begin + k * lane - kWarmUp, kWarmUp}, classes, &rows[k]);
  std::array<uint64_t, kLanes> costs{};
  for (size_t i = 0; i < lane; ++i) {
    for (size_t k = 0; k < kLanes; ++k) {
      const uint32_t step = kSteps[rows[k] + classes[static_cast<uint8_t>(begin[k * lane + i])]];
      costs[k] += step >> 16;
      rows[k] = step & 0xFFFF;
    }
  }
  *row = rows[kLanes - 1];
  return costs[0] + costs[1] + costs[2] + costs[3];
}

}  // namespace

void TokenMeter::Run(std::string_view bytes, const uint8_t* classes) {
  chinese_excess_ += ChineseExcess(bytes);
  const size_t lane = bytes.size() / kLanes;
  if (lane >= kMinLane) {
    hundredths_ += WalkLanes(bytes.data(), lane, classes, &state_);
    bytes.remove_prefix(lane * kLanes);
  }
  hundredths_ += Walk(bytes, classes, &state_);
}

void TokenMeter::AddText(std::string_view text) {
  Run(text, kTextClasses.data());
}

void TokenMeter::AddJson(std::string_view json) {
  Run(json, kJsonClasses.data());
}

void TokenMeter::AddTokens(uint64_t tokens) {
  hundredths_ += tokens * 100;
}

uint64_t TokenMeter::tokens() const {
  return static_cast<uint64_t>(std::max<int64_t>(0, static_cast<int64_t>((hundredths_ + 50) / 100) + chinese_excess_));
}

uint64_t EstimateTokens(std::string_view text) {
  if (text.empty()) return 0;
  TokenMeter meter;
  meter.AddText(text);
  return std::max<uint64_t>(meter.tokens(), 1);
}

}  // namespace ccr::proxy

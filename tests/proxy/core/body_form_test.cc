#include "proxy/core/body_form.h"

#include <gtest/gtest.h>

namespace ccr::proxy {
namespace {

TEST(FormOf, FirstBytesTell) {
  for (const char* events : {"data: {}", "event: x", ": ping", "\n\ndata:[]", "id: 1", "retry: 1",
                             "\xEF\xBB\xBF"
                             "data:"})
    EXPECT_EQ(FormOf(events), BodyForm::kEvents) << events;
  for (const char* document : {"{", " \r\n{\"data:\":1}", "[{}]", "\xEF\xBB\xBF{"})
    EXPECT_EQ(FormOf(document), BodyForm::kDocument) << document;
  for (const char* unknown : {"<html>", "dat:", "null", "\"x\"", "idea"})
    EXPECT_EQ(FormOf(unknown), BodyForm::kUnknown) << unknown;
  for (const char* undecided : {"", "\n ", "\xEF\xBB", "\xEF\xBB\xBF", "dat", "data", "\n\nr", "i"})
    EXPECT_EQ(FormOf(undecided), BodyForm::kUndecided) << undecided;
}

}  // namespace
}  // namespace ccr::proxy

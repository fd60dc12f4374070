#include "run/step_type.h"

namespace daruma::run {

std::string_view to_string(Effect effect) {
  switch (effect) {
    case Effect::kObserve:
      return "observes";
    case Effect::kChange:
      return "changes";
    case Effect::kDestroy:
      return "destroys";
  }
  return "";
}

std::string_view to_string(AfterCrash after_crash) {
  switch (after_crash) {
    case AfterCrash::kAgain:
      return "again";
    case AfterCrash::kReconcile:
      return "reconcile";
    case AfterCrash::kAsk:
      return "ask";
  }
  return "";
}

std::string_view to_string(InputRow::Kind kind) {
  switch (kind) {
    case InputRow::Kind::kText:
      return "text";
    case InputRow::Kind::kInteger:
      return "integer";
    case InputRow::Kind::kBoolean:
      return "true or false";
    case InputRow::Kind::kDuration:
      return "duration";
    case InputRow::Kind::kService:
      return "service";
    case InputRow::Kind::kDatastore:
      return "datastore";
    case InputRow::Kind::kPath:
      return "path";
    case InputRow::Kind::kList:
      return "list";
    case InputRow::Kind::kMap:
      return "map";
    case InputRow::Kind::kAny:
      return "anything";
  }
  return "";
}

}  // namespace daruma::run

// run/steps/http_parts.h: a step's inputs as an HTTP request, and what is expected of its answer.
//
// Threads: plain functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "probe/http.h"
#include "run/step_type.h"

namespace daruma::run {

// `url`, or the health address of `service`. kInvalid: neither, or the service has none.
Result<std::string> url_input(const StepContext& context);
// `method`, `headers`, `body`, to `url`. Secrets are asked for.
Result<probe::HttpQuestion> question_of(const StepContext& context, std::string url);
// The same as a person types it; secrets stay references.
std::string curl_line(const StepContext& context);

// "503" in `status` of the inputs; 200 when not given.
Result<std::vector<int>> statuses_input(const StepContext& context);
// Why the answer is not what the inputs `status`, `contains`, `lacks`, `json`, `degraded` and `age_most`
// expect; nullopt: it is.
Result<std::optional<std::string>> what_is_wrong(const StepContext& context, const probe::HttpAnswer& answer);

}  // namespace daruma::run

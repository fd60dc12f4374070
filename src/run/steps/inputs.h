// run/steps/inputs.h: reads the filled inputs of a step.
//
// The inputs are of the kinds that the type's table says (run/check.h has seen to it); what a table cannot
// say, as that a service exists, is checked here.
// Errors:  kInvalid: names the input and what is wrong with it.
// Threads: plain functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "run/step_type.h"

namespace daruma::run {

// nullptr: not given, or null.
const Value* input(const StepContext& context, std::string_view name);
// "" when it is not given; a number as it is written.
std::string text_input(const StepContext& context, std::string_view name);
int64_t integer_input(const StepContext& context, std::string_view name, int64_t otherwise = 0);
bool boolean_input(const StepContext& context, std::string_view name, bool otherwise = false);
// A number, whole or not.
Result<std::optional<double>> number_input(const StepContext& context, std::string_view name);
Result<std::optional<Duration>> duration_input(const StepContext& context, std::string_view name);
// A moment, RFC 3339.
Result<std::optional<Instant>> time_input(const StepContext& context, std::string_view name);
// A list of texts; one text is a list of one, nothing is an empty list.
Result<std::vector<std::string>> texts_input(const StepContext& context, std::string_view name);
// Relative to the folder of daruma.yaml; empty when not given.
Path path_input(const StepContext& context, std::string_view name);
Path path_of(const StepContext& context, const std::string& text);

// The service that input `service` names. kInvalid names those there are.
Result<const ServiceConfig*> service_input(const StepContext& context, std::string_view name = "service");
// Those of `service` and `services`, in this order; at least one.
Result<std::vector<const ServiceConfig*>> services_input(const StepContext& context);
// The datastore that input `datastore` names, which must be of this kind.
Result<const DatastoreConfig*> datastore_input(const StepContext& context, DatastoreKind kind);
// The password of a connection; "" when it needs none.
Result<std::string> password_of(const StepContext& context, const ConnectionConfig& connection);

// A text, or what {env: NAME} or {file: PATH} stands for, behind its `prefix` when it has one.
Result<std::string> maybe_secret(const StepContext& context, const Value& value);
// The same for every entry of a map input; sorted by name.
Result<std::vector<std::pair<std::string, std::string>>> maybe_secrets(const StepContext& context,
                                                                       std::string_view name);
// What a person types for such a value: "$NAME", "$(cat FILE)" inside double quotes.
std::string shown_secret(const Value& value);

// The value at a path as in "results.0.id"; nullptr: nothing is there.
const Value* value_at(const Value& value, std::string_view path);

}  // namespace daruma::run

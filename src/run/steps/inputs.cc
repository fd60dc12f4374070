#include "run/steps/inputs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "base/shell_word.h"

namespace daruma::run {
namespace {

Error wrong(std::string_view name, const std::string& what) {
  return {Errc::kInvalid, fmt::format("input '{}': {}", name, what)};
}

template <class List>
std::string names_of(const List& list) {
  std::vector<std::string> names;
  for (const auto& item : list) names.push_back(item.name);
  return names.empty() ? "daruma.yaml has none" : fmt::format("there are: {}", fmt::join(names, ", "));
}

Result<const ServiceConfig*> service_named(const StepContext& context, std::string_view name,
                                           const std::string& service) {
  if (const ServiceConfig* found = context.config.service(service)) return found;
  Error error = wrong(name, fmt::format("no service is called '{}'", service));
  error.hint = names_of(context.config.services);
  return error;
}

// The reference in {env: NAME} or {file: PATH}; nullopt: it is none.
std::optional<SecretReference> reference_in(const StepContext& context, const Value& value) {
  if (const std::string name = value.text_at("env"); !name.empty())
    return SecretReference{.environment = name};
  if (const std::string file = value.text_at("file"); !file.empty())
    return SecretReference{.file = path_of(context, file)};
  return std::nullopt;
}

}  // namespace

const Value* input(const StepContext& context, std::string_view name) {
  const auto found = context.with.find(name);
  return found == context.with.end() || found->second.is_null() ? nullptr : &found->second;
}

std::string text_input(const StepContext& context, std::string_view name) {
  const Value* value = input(context, name);
  return value ? to_text(*value) : "";
}

int64_t integer_input(const StepContext& context, std::string_view name, int64_t otherwise) {
  const Value* value = input(context, name);
  return value && value->integer() ? *value->integer() : otherwise;
}

bool boolean_input(const StepContext& context, std::string_view name, bool otherwise) {
  const Value* value = input(context, name);
  return value && value->boolean() ? *value->boolean() : otherwise;
}

Result<std::optional<double>> number_input(const StepContext& context, std::string_view name) {
  const Value* value = input(context, name);
  if (!value) return std::optional<double>();
  if (const int64_t* whole = value->integer()) return std::optional(static_cast<double>(*whole));
  if (const double* floating = value->floating()) return std::optional(*floating);
  return wrong(name, fmt::format("{} is not a number", to_json(*value)));
}

Result<std::optional<Duration>> duration_input(const StepContext& context, std::string_view name) {
  const std::string text = text_input(context, name);
  if (text.empty()) return std::optional<Duration>();
  auto duration = parse_duration(text);
  if (!duration.ok()) return wrong(name, duration.error().what);
  return std::optional(*duration);
}

Result<std::optional<Instant>> time_input(const StepContext& context, std::string_view name) {
  const std::string text = text_input(context, name);
  if (text.empty()) return std::optional<Instant>();
  auto time = parse_rfc3339(text);
  if (!time.ok()) return wrong(name, time.error().what);
  return std::optional(*time);
}

Result<std::vector<std::string>> texts_input(const StepContext& context, std::string_view name) {
  std::vector<std::string> texts;
  const Value* value = input(context, name);
  if (!value) return texts;
  if (const Value::List* list = value->list()) {
    for (const Value& item : *list) {
      if (item.list() || item.map() || item.is_null())
        return wrong(name, fmt::format("{} is not a text", to_json(item)));
      texts.push_back(to_text(item));
    }
    return texts;
  }
  if (value->map()) return wrong(name, "must be a list of texts");
  texts.push_back(to_text(*value));
  return texts;
}

Path path_of(const StepContext& context, const std::string& text) {
  if (text.empty()) return {};
  return (context.config.file.parent_path() / text).lexically_normal();
}

Path path_input(const StepContext& context, std::string_view name) {
  return path_of(context, text_input(context, name));
}

Result<const ServiceConfig*> service_input(const StepContext& context, std::string_view name) {
  const std::string service = text_input(context, name);
  if (service.empty()) return wrong(name, "must name a service");
  return service_named(context, name, service);
}

Result<std::vector<const ServiceConfig*>> services_input(const StepContext& context) {
  std::vector<const ServiceConfig*> services;
  for (const std::string_view name : {"service", "services"}) {
    DR_TRY(const auto names, texts_input(context, name));
    for (const std::string& service : names) {
      DR_TRY(const ServiceConfig* found, service_named(context, name, service));
      services.push_back(found);
    }
  }
  if (services.empty()) return wrong("service", "give 'service' or 'services'");
  return services;
}

Result<const DatastoreConfig*> datastore_input(const StepContext& context, DatastoreKind kind) {
  const std::string name = text_input(context, "datastore");
  const DatastoreConfig* datastore = context.config.datastore(name);
  const std::string_view word = kind == DatastoreKind::kRedis ? "redis" : "postgres";
  if (datastore && datastore->kind == kind) return datastore;
  Error error = wrong("datastore", datastore ? fmt::format("'{}' is not of kind {}", name, word)
                                             : fmt::format("no datastore is called '{}'", name));
  error.hint = names_of(context.config.datastores);
  return error;
}

Result<std::string> password_of(const StepContext& context, const ConnectionConfig& connection) {
  if (!connection.password) return std::string();
  return context.secret(*connection.password);
}

Result<std::string> maybe_secret(const StepContext& context, const Value& value) {
  if (value.list()) return Error{Errc::kInvalid, fmt::format("{} is not a text", to_json(value))};
  if (!value.map()) return to_text(value);
  const auto reference = reference_in(context, value);
  if (!reference)
    return Error{Errc::kInvalid,
                 fmt::format("{} is neither a text nor {{env: NAME}} or {{file: PATH}}", to_json(value))};
  DR_TRY(const std::string secret, context.secret(*reference));
  return value.text_at("prefix") + secret;
}

Result<std::vector<std::pair<std::string, std::string>>> maybe_secrets(const StepContext& context,
                                                                       std::string_view name) {
  std::vector<std::pair<std::string, std::string>> out;
  const Value* value = input(context, name);
  if (!value) return out;
  if (!value->map()) return wrong(name, "must be a map");
  for (const auto& [key, item] : *value->map()) {
    auto text = maybe_secret(context, item);
    if (!text.ok()) return std::move(text).error().in(fmt::format("input '{}', '{}'", name, key));
    out.emplace_back(key, *std::move(text));
  }
  return out;
}

std::string shown_secret(const Value& value) {
  if (!value.map()) return shell_word(to_text(value));
  const std::string name = value.text_at("env");
  const std::string shown = name.empty() ? fmt::format("$(cat {})", shell_word(value.text_at("file")))
                                         : fmt::format("${{{}}}", name);
  return fmt::format("\"{}{}\"", value.text_at("prefix"), shown);
}

const Value* value_at(const Value& value, std::string_view path) {
  const Value* at = &value;
  while (at && !path.empty()) {
    const std::string_view part = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(part.size() + 1, path.size()));
    if (const Value::List* list = at->list()) {
      size_t index = 0;
      const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), index);
      const bool number = error == std::errc() && end == part.data() + part.size();
      at = number && index < list->size() ? &(*list)[index] : nullptr;
    } else {
      at = at->find(part);
    }
  }
  return at;
}

}  // namespace daruma::run

// config/settings_reference.h: a table of settings told to people (Markdown) and to editors (JSON Schema).
//
// Source:  json-schema.org, draft 7.
// Threads: plain functions.
#pragma once

#include "base/value.h"
#include "config/settings.h"

namespace daruma::settings {

// A row for each setting: "| `copies[].url` | what its values are | default or `required` | help |". Settings
// below lists and names stand under the path that one would write.
std::string reference_rows(const Setting& setting);

Value schema_of(const Setting& setting);
// The whole file's, as it is kept in docs/.
std::string schema_text(Value schema, std::string_view title);

}  // namespace daruma::settings

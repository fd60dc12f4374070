// ai-micro-api-admin/names.h: file names and media types that come from outside and go out again in headers.
//
// Threads: plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace aimicro {

// The name without blanks around it; nullopt: empty, longer than 200 characters, not UTF-8, with a control
// character, a slash or a backslash, or one of "." and "..".
std::optional<std::string> document_name(std::string_view text);

// "text/plain; charset=utf-8" -> "text/plain"; application/octet-stream where there is none or a malformed
// one.
std::string media_type(std::string_view content_type);

// attachment; filename="…"; filename*=UTF-8''… (RFC 6266): no byte of the name can end the header or the
// quotes.
std::string attachment(std::string_view name);

}  // namespace aimicro

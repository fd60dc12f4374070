#include "ai-micro-api-admin/documents.h"

#include <algorithm>

#include "library/common.h"

namespace aimicro {

using daruma::Result;
using daruma::service::Rows;
using daruma::service::SqlValue;
using daruma::service::SqlValues;
using daruma::service::Statement;
using daruma::service::Task;

namespace {

#define DOCUMENT_COLUMNS                                                       \
  "id, owner, name, media_type, sha256, size, "                                \
  "to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), " \
  "(extract(epoch FROM created_at) * 1000000)::bigint || '-' || id"
constexpr Statement kAdd{"document_add",
                         "INSERT INTO documents (id, owner, name, media_type, sha256, size) "
                         "VALUES ($1::uuid, $2::uuid, $3, $4, $5, $6::bigint) RETURNING " DOCUMENT_COLUMNS};
// The owner is NULL for the role admin.
constexpr Statement kFind{"document_find", "SELECT " DOCUMENT_COLUMNS
                                           " FROM documents WHERE id = $1::uuid AND ($2::uuid IS NULL OR "
                                           "owner = $2::uuid)"};
constexpr Statement kListAll{"document_list_all",
                             "SELECT " DOCUMENT_COLUMNS
                             " FROM documents WHERE $1::bigint IS NULL OR (created_at, id) < (timestamptz "
                             "'epoch' + $1::bigint * interval "
                             "'1 microsecond', $2::uuid) ORDER BY created_at DESC, id DESC LIMIT $3::int"};
constexpr Statement kListOwn{
    "document_list_own",
    "SELECT " DOCUMENT_COLUMNS
    " FROM documents WHERE owner = $4::uuid AND ($1::bigint IS NULL OR (created_at, id) < (timestamptz "
    "'epoch' + "
    "$1::bigint * interval '1 microsecond', $2::uuid)) ORDER BY created_at DESC, id DESC LIMIT $3::int"};
constexpr Statement kRemove{
    "document_remove",
    "DELETE FROM documents WHERE id = $1::uuid AND ($2::uuid IS NULL OR owner = $2::uuid) RETURNING id"};
#undef DOCUMENT_COLUMNS

Document document_of(const Rows& rows, size_t row) {
  Document document;
  document.id = rows.text(row, 0);
  document.owner = rows.text(row, 1);
  document.name = rows.text(row, 2);
  document.media_type = rows.text(row, 3);
  document.sha256 = rows.text(row, 4);
  document.size = static_cast<uint64_t>(rows.number(row, 5));
  document.created_at = rows.text(row, 6);
  document.cursor = rows.text(row, 7);
  return document;
}

SqlValue owner_of(Reader reader) {
  if (reader.admin) return std::nullopt;
  return std::move(reader.user);
}

SqlValues id_and_owner(std::string id, Reader reader) {
  SqlValues values;
  values.emplace_back(std::move(id));
  values.push_back(owner_of(std::move(reader)));
  return values;
}

SqlValues list_values(Reader reader, const std::string& after, unsigned count_max) {
  SqlValues values;
  const size_t dash = after.find('-');
  values.push_back(after.empty() ? SqlValue() : SqlValue(after.substr(0, dash)));
  values.push_back(after.empty() ? SqlValue() : SqlValue(after.substr(dash + 1)));
  values.emplace_back(std::to_string(count_max));
  if (!reader.admin) values.emplace_back(std::move(reader.user));
  return values;
}

SqlValues row_values(Document document) {
  SqlValues values;
  for (std::string* text :
       {&document.id, &document.owner, &document.name, &document.media_type, &document.sha256})
    values.emplace_back(std::move(*text));
  values.emplace_back(std::to_string(document.size));
  return values;
}

}  // namespace

Task<Result<Document>> Documents::add(Document document) {
  auto values = row_values(std::move(document));
  auto rows = co_await pool_.run(kAdd, std::move(values), clock_.after(kStatementTime));
  if (!rows.ok()) co_return std::move(rows).error();
  co_return document_of(*rows, 0);
}

Task<Result<std::optional<Document>>> Documents::find(std::string id, Reader reader) {
  auto values = id_and_owner(std::move(id), std::move(reader));
  auto rows = co_await pool_.run(kFind, std::move(values), clock_.after(kStatementTime));
  if (!rows.ok()) co_return std::move(rows).error();
  std::optional<Document> document;
  if (rows->size() > 0) document = document_of(*rows, 0);
  co_return document;
}

Task<Result<std::vector<Document>>> Documents::list(Reader reader, std::string after, unsigned count_max) {
  const Statement& statement = reader.admin ? kListAll : kListOwn;
  auto values = list_values(std::move(reader), after, count_max);
  auto rows = co_await pool_.run(statement, std::move(values), clock_.after(kStatementTime));
  if (!rows.ok()) co_return std::move(rows).error();
  std::vector<Document> documents;
  for (size_t row = 0; row < rows->size(); ++row) documents.push_back(document_of(*rows, row));
  co_return documents;
}

Task<Result<bool>> Documents::remove(std::string id, Reader reader) {
  auto values = id_and_owner(std::move(id), std::move(reader));
  auto rows = co_await pool_.run(kRemove, std::move(values), clock_.after(kStatementTime));
  if (!rows.ok()) co_return std::move(rows).error();
  co_return rows->size() > 0;
}

bool is_cursor(std::string_view text) {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos || dash == 0 || dash > 17) return false;
  const std::string_view micros = text.substr(0, dash);
  return std::all_of(micros.begin(), micros.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
         is_uuid(text.substr(dash + 1));
}

}  // namespace aimicro

// ai-micro-api-admin/admin_service.h: documents: a row with size and hash, and a file with the bytes.
//
// GET    /api/documents?limit&after         a page of them, newest first POST   /api/documents?name
// the body is the document; 201, 413 too large, 507 disk full GET    /api/documents/{id}                its
// row GET    /api/documents/{id}/content        its bytes: ranges, ETag; 500 when they are not what the row
// says DELETE /api/documents/{id}                204
//
// Everybody who is signed in has documents of their own; the role admin sees and deletes everybody's.
// Threads: the worker's one; files are hashed, written and synced on a few threads of their own.
#pragma once

#include <memory>
#include <unordered_map>

#include "ai-micro-api-admin/document_files.h"
#include "ai-micro-api-admin/documents.h"
#include "ai-micro-api-admin/ranges.h"
#include "library/keys.h"
#include "library/offload.h"
#include "library/origins.h"
#include "service/program.h"

namespace aimicro {

class AdminService final : public daruma::service::Service {
 public:
  explicit AdminService(daruma::service::Worker& worker);
  daruma::Status start(daruma::service::Router& router) override;
  daruma::service::Task<void> stop() override { return pool_->close(); }

 private:
  using Request = daruma::service::Request;
  using Response = daruma::service::Response;
  using Claims = daruma::service::Claims;
  template <class T>
  using Task = daruma::service::Task<T>;

  Task<Response> list(Request& request, Reader reader);
  Task<Response> upload(Request& request, Reader reader);
  Task<Response> show(Request& request, Reader reader);
  Task<Response> download(Request& request, Reader reader);
  Task<Response> remove(Request& request, Reader reader);

  // The document of the path, or the answer to give instead.
  struct Found {
    std::optional<Document> document;
    Response answer;
  };
  Task<Found> find(Request& request, Reader reader);
  // True when the file holds what the row says; asked of the disk once for each state of the file.
  Task<daruma::Status> sound(const Document& document);
  Response bytes_of(const Request& request, const Document& document);
  Response file_problem(const Request& request, const daruma::Error& error);
  std::vector<daruma::service::Route> routes();

  daruma::service::Worker& worker_;
  DocumentFiles files_;
  std::unique_ptr<daruma::service::PostgresPool> pool_;
  std::unique_ptr<Documents> documents_;
  std::unique_ptr<daruma::service::TokenKey> key_;
  Offload offload_;
  Origins origins_;
  std::unordered_map<std::string, int64_t> seen_sound_;  // id -> when its file was last changed (micros)
};

std::vector<daruma::service::Setting> admin_settings();

}  // namespace aimicro

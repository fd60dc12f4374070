// library/pages.h: a front: a folder of pages, served from memory with the headers that keep a browser safe.
//
//   GET /              index.html
//   GET /NAME          each file of the folders `pages` and `shared`; nothing else, whatever a path says
//   GET /config.json   where the APIs are
//
// Files are read once, when a worker starts; reload (SIGHUP) shows new ones. Each has an ETag.
// Threads: the worker's one.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "service/program.h"

namespace aimicro {

class Front final : public daruma::service::Service {
 public:
  explicit Front(daruma::service::Worker& worker) : worker_(worker) {}
  daruma::Status start(daruma::service::Router& router) override;

 private:
  struct Page {
    std::string content_type, etag;
    std::shared_ptr<const std::string> body;  // shared with answers that are still being written
  };
  daruma::Status load(const daruma::Path& folder);
  void add(daruma::service::Router& router, const std::string& pattern, const Page& page);
  daruma::service::Response answer(const daruma::service::Request& request, const Page& page) const;

  daruma::service::Worker& worker_;
  std::map<std::string, Page> pages_;
  std::vector<daruma::service::Header> headers_;
};

// The whole program of a front.
daruma::service::Program front_program(const std::string& name, const std::string& prefix,
                                       const std::string& summary, int port);

}  // namespace aimicro

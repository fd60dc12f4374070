// front-admin: the admin front of ai-micro-service (requirement A22).

#include "library/pages.h"

int main(int argc, char** argv) {
  return daruma::service::run_program(
      aimicro::front_program("front-admin", "FRONT_ADMIN", "the admin front of ai-micro-service: documents",
                             3003),
      argc, argv);
}

// front-user: the user front of ai-micro-service (requirement A22).

#include "library/pages.h"

int main(int argc, char** argv) {
  return daruma::service::run_program(
      aimicro::front_program("front-user", "FRONT_USER", "the user front of ai-micro-service: profiles",
                             3002),
      argc, argv);
}

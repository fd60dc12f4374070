// hotel-data-api: HotelDataAPI, the provider that LastMinuteStay's search asks about hotels.
#include "lastminutestay/provider/hotel_data_service.h"

int main(int argc, char** argv) {
  daruma::service::Program program;
  program.name = "hotel-data-api";
  program.version = "1.0.0";
  program.summary =
      "HotelDataAPI: ratings, photos and hints by hotel, and as unreliable as you tell it to be";
  program.prefix = "HOTEL_DATA";
  program.port = 3100;
  program.make = &lastminutestay::make_hotel_data_service;
  return daruma::service::run_program(program, argc, argv);
}
